"""The command line against real servers: a broker, and three of the six services behind ingestion's door."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

from services.cli import running
from services.cli.reading import whole
from shared.events.topics import RECORDS_VALIDATED
from tests.integration.fleet import PARTITIONS, Fleet, fleet
from tests.ports import free_port
from tests.unit.cli.calls import call
from tests.unit.cli.system import NAMED
from tests.waiting import PATIENCE, until

PREFIX = f"cli-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
"""Each worker that is given some of these tests has a system of its own, on the broker that all share."""
ROWS = [{"item": f"i{row}", "price": row, "size": "s"} for row in range(40)]
BROKEN = [{"item": "b0", "price": "much", "size": "s"}, {"item": "b1", "price": -1, "size": "s"}]


@pytest.fixture(scope="module")
def environment(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the commands look; the folder of the blobs lies in the returned one."""
    folder = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRIFTLOOP_KAFKA_BOOTSTRAP", broker)
        patch.setenv("DRIFTLOOP_KAFKA_PREFIX", PREFIX)
        patch.setenv("DRIFTLOOP_KAFKA_PARTITIONS", str(PARTITIONS))
        patch.setenv("DRIFTLOOP_REDIS_URL", "redis://127.0.0.1:1/0")
        patch.setenv("DRIFTLOOP_BLOBS_FOLDER", str(folder / "blobs"))
        yield folder


@pytest.fixture(scope="module")
def services(environment: Path, broker: str) -> Iterator[Fleet]:
    names = ("ingestion", "validation", "deployment")
    with fleet(broker, environment, prefix=PREFIX, names=names) as some, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRIFTLOOP_URL", some.ingestion_url)
        patch.setenv("DRIFTLOOP_PREDICTION_URL", f"http://127.0.0.1:{free_port()}")
        yield some


@pytest.fixture(scope="module")
def shop(services: Fleet, environment: Path) -> Path:
    """A pipeline in force that has received good rows and broken ones."""
    file, rows = environment / "shop.yaml", environment / "rows.ndjson"
    file.write_text(NAMED)
    rows.write_text("".join(json.dumps(row) + "\n" for row in [*ROWS, *BROKEN]))
    applied = call("apply", file)
    assert (applied.code, applied.out.endswith("in force\n")) == (0, True), applied.err
    until(lambda: call("send", "shop", rows, "--url", services.ingestion_url).code == 0, "ingestion knows the pipeline")
    until(lambda: validated() == len(ROWS), "the good rows are validated")
    return environment


def validated() -> int:
    with running.opened_log() as log:
        return sum(int(message.headers["rows"]) for message in whole(log, RECORDS_VALIDATED.name))


def test_topics_are_made_once_and_compared_ever_after(
    environment: Path, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLOOP_KAFKA_PREFIX", "cli-topics")
    missing = call("topics", "verify")
    assert missing.code == 1
    assert "cli-topics.ledger.v1 is missing" in missing.out
    assert call("topics", "create").out.startswith("made ")
    assert call("topics", "create").out == "all topics are there\n"
    assert call("topics", "verify").out == "all topics are as declared\n"
    monkeypatch.setenv("DRIFTLOOP_KAFKA_PARTITIONS", str(PARTITIONS + 1))
    differing = call("topics", "verify")
    assert differing.code == 1
    assert f"partitions is {PARTITIONS}, declared is {PARTITIONS + 1}" in differing.out


def test_a_broker_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    """In a process of its own, where the client library would have its say on standard error."""
    nowhere = f"127.0.0.1:{free_port()}"
    told = subprocess.run(
        [sys.executable, "-m", "services.cli.main", "timeline", "--pipeline", "shop"],
        env=os.environ | {"DRIFTLOOP_KAFKA_BOOTSTRAP": nowhere},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert nowhere in told.stderr


def test_commands_are_answered_by_the_ledger(shop: Path) -> None:
    assert call("pause", "shop").out == "retraining paused\n"
    assert call("resume", "shop").out == "retraining resumed\n"
    refused = call("rollback", "shop")
    assert (refused.code, refused.out) == (1, "command refused: there is no earlier version to return to\n")


def test_how_things_stand_is_told_from_the_ledger_where_there_is_no_read_model(shop: Path) -> None:
    told = call("status", "--all")
    assert told.code == 0, told.err
    assert "told by          the ledger, to its end (the read model does not answer)" in told.out


def test_a_followed_timeline_ends_in_order(shop: Path) -> None:
    command = [sys.executable, "-m", "services.cli.main", "timeline", "--pipeline", "shop", "--all", "--follow"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    patience = Timer(PATIENCE, process.kill)
    patience.start()
    assert "in force" in process.stdout.readline()
    call("pause", "shop")
    while "retraining paused" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    patience.cancel()
    assert (process.returncode, errors) == (0, "")
    call("resume", "shop")


def test_dead_letters_are_repaired_and_back_through_the_door(shop: Path, tmp_path: Path) -> None:
    assert call("dead-letters", "export", "shop", "--out", tmp_path).code == 0
    lines = [json.loads(line) for line in (tmp_path / "letters.ndjson").read_text().splitlines()]
    assert {line["item"] for line in lines} == {"b0", "b1"}
    mended = "".join(json.dumps(line | {"price": 1}) + "\n" for line in lines)
    (tmp_path / "letters.ndjson").write_text(mended)
    told = call("replay", "shop", tmp_path)
    assert told.out.startswith("taken 2, died again 0"), told.err
    until(lambda: validated() == len(ROWS) + 2, "the repaired rows are validated")


def test_the_doctor_finds_who_reads_and_who_stands_still(shop: Path) -> None:
    told = call("doctor", "--running")
    lines = told.out.splitlines()
    assert told.code == 1
    assert any(line.startswith("ok     the broker answers") for line in lines)
    assert any(line.startswith("ok     validation has read everything") for line in lines), told.out
    assert any(line.startswith("WRONG  training is") and "stands still" in line for line in lines)
    assert any(line.startswith("WRONG  prediction's door") for line in lines)
    assert any(line.startswith("ok     blobs: files, models and baselines of 1 pipelines") for line in lines)
