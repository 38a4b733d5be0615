"""`driftloop run`: lines in, predictions out, decisions told, an orderly end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from services.cli.commands.run import stopped_by_signals
from services.cli.session.lines import Feed, batches
from services.cli.session.sorting import sort
from services.embedded.plant import Plant
from shared.domain.pipeline_file import parse_pipeline
from tests.unit.cli.calls import call

PLANT = Plant(rows=1600)
FAST = PLANT.pipeline_yaml().replace("window: 1000", "window: 400").replace("n_estimators: 60", "n_estimators: 10")


def lines_of(rows: int, delay: int = 60) -> Iterator[str]:
    """The plant's records, each one's label ``delay`` records later, and two lines that are wrong."""
    waiting: list[dict[str, str]] = []
    for record in (record for batch in PLANT.batches() for record in batch.to_pylist()):
        if len(waiting) == rows:
            break
        waiting.append({"id": record["crate"], "quality": record.pop("quality")})
        yield json.dumps(record | {"logged_at": record["logged_at"].isoformat()})
        if len(waiting) > delay:
            yield json.dumps(waiting[-delay])
    yield "no JSON"
    yield json.dumps({"crate": "odd", "pressure_bar": "much"})


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(FAST)
    return path


def run(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "services.cli.main", "run", *(str(argument) for argument in arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_records_are_predicted_and_labels_that_come_late_keep_the_model_right(tmp_path: Path, pipeline: Path) -> None:
    process = run("--pipeline", pipeline, "--dir", tmp_path / "run")
    out, err = process.communicate("\n".join(lines_of(900)), timeout=60)
    told = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 0
    assert told[-1]["id"] == "crate-0000899"
    assert set(told[-1]) == {"id", "predicted", "score", "version"}
    assert len({answer["id"] for answer in told}) == len(told) > 350
    assert "is the first model in service" in err
    assert re.search(r"^902 records received, 8\d\d labelled, 2 refused \(see .*letters.ndjson\)$", err, re.MULTILINE)
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert (status["rows"], status["dead"]) == (902, 2)
    assert status["labels"] > 800


def test_what_is_refused_is_kept_with_the_reason(tmp_path: Path, pipeline: Path) -> None:
    source = tmp_path / "in.ndjson"
    source.write_text("\n".join(lines_of(30)) + '\n{"crate": "null", "pressure_bar": 3.0}\n')
    assert call("run", "--pipeline", pipeline, source, "--dir", tmp_path / "run").code == 0
    letters = [json.loads(line) for line in (tmp_path / "run/dead-letters/letters.ndjson").read_text().splitlines()]
    assert [letter["stage"] for letter in letters] == ["ingestion", "ingestion", "validation"]
    assert letters[0] == {
        "stage": "ingestion",
        "message": "the line is not JSON",
        "reason": "not-json",
        "body": "no JSON",
    }
    assert letters[2]["reason"].startswith("null:")
    assert letters[2]["record"]["_id"] == "null"


def test_its_folder_serves_the_other_commands(tmp_path: Path, pipeline: Path) -> None:
    source = tmp_path / "in.ndjson"
    source.write_text("\n".join(lines_of(600)))
    folder = tmp_path / "run"
    call("run", "--pipeline", pipeline, source, "--dir", folder)
    timeline = call("timeline", folder).out
    version = next(line.split()[2] for line in timeline.splitlines() if "is the first model in service" in line)
    assert len(list((folder / "cards").glob(f"{version}*.md"))) == 1
    assert "collecting" not in timeline
    assert call("explain", version, folder).code == 0
    assert call("reproduce", version, folder).code == 0
    assert call("doctor", folder).code == 0
    assert "600 records" not in call("status", folder).out
    assert "602 records" in call("status", folder).out


def test_another_runs_ledger_is_not_written_into(tmp_path: Path, pipeline: Path) -> None:
    source = tmp_path / "in.ndjson"
    source.write_text("\n".join(lines_of(30)))
    call("run", "--pipeline", pipeline, source, "--dir", tmp_path / "run")
    told = call("run", "--pipeline", pipeline, source, "--dir", tmp_path / "run")
    assert told.code == 2
    assert "holds the ledger of another run" in told.err


def test_a_followed_file_is_read_as_it_grows_until_a_signal_ends_it_in_order(tmp_path: Path, pipeline: Path) -> None:
    lines = list(lines_of(700))[:-2]
    source = tmp_path / "in.ndjson"
    source.write_text("\n".join(lines[:-200]) + "\n")
    process = run("--pipeline", pipeline, "--follow", "--dir", tmp_path / "run", source)
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    with source.open("a") as file:
        file.write("\n".join(lines[-200:]) + "\n")
    last = first
    while last["id"] != "crate-0000699":
        last = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    ledger = (tmp_path / "run/ledger.jsonl").read_text()
    assert ledger.endswith("\n")
    assert json.loads(ledger.splitlines()[-1])


def test_a_second_signal_of_either_kind_ends_it_at_once() -> None:
    stop = Event()
    with stopped_by_signals(stop):
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        assert signal.getsignal(signal.SIGTERM) == signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) != signal.SIG_DFL


def test_csv_is_read_with_its_header(tmp_path: Path) -> None:
    inline = FAST.replace("arrives: late", "arrives: inline")
    (tmp_path / "pipeline.yaml").write_text(inline)
    records = [record for batch in PLANT.batches() for record in batch.to_pylist()][:700]
    rows = [",".join("" if value is None else str(value) for value in record.values()) for record in records]
    (tmp_path / "in.csv").write_text("\n".join([",".join(records[0]), *rows]) + "\n")
    told = call("run", "--pipeline", tmp_path / "pipeline.yaml", tmp_path / "in.csv", "--dir", tmp_path / "run")
    answers = [json.loads(line) for line in told.out.splitlines()]
    assert [answer["id"] for answer in answers] == [record["crate"] for record in records[-len(answers) :]]
    assert len(answers) >= 250


def test_labelled_records_of_all_lanes_are_counted(tmp_path: Path) -> None:
    inline = FAST.replace("arrives: late", "arrives: inline") + "lanes: 2\n"
    (tmp_path / "pipeline.yaml").write_text(inline)
    records = [record for batch in PLANT.batches() for record in batch.to_pylist()][:40]
    lines = [json.dumps(record | {"logged_at": record["logged_at"].isoformat()}) for record in records]
    (tmp_path / "in.ndjson").write_text("\n".join(lines))
    told = call("run", "--pipeline", tmp_path / "pipeline.yaml", tmp_path / "in.ndjson", "--dir", tmp_path / "run")
    assert told.err.splitlines()[-1] == "40 records received, 40 labelled, 0 refused"


def test_half_a_line_waits_for_its_end() -> None:
    receive, send = os.pipe()
    os.write(send, b"one\ntw")
    taken = batches(Feed(receive, rows=10, seconds=0.0, follow=False), Event())
    assert next(taken) == [b"one"]
    os.write(send, b"o\nthree")
    os.close(send)
    assert list(taken) == [[b"two"], [b"three"]]
    os.close(receive)


def test_batches_hold_no_more_lines_than_asked(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"\n".join(b"%d" % number for number in range(25)))
    with (tmp_path / "in").open("rb") as file:
        sizes = [len(batch) for batch in batches(Feed(file.fileno(), 10, 60.0, follow=False), Event())]
    assert sizes == [10, 10, 5]


@pytest.mark.parametrize(
    ("line", "is_label"),
    [
        (b'{"id": "a", "quality": "pass"}', True),
        (b'{"crate": "a", "quality": "pass", "note": 1}', True),
        (b'{"crate": "a", "quality": "pass", "stops": 1}', False),
        (b'{"quality": "pass"}', False),
        (b'{"crate": "a"}', False),
        (b"[]", False),
        (b"{", False),
    ],
)
def test_a_label_is_an_id_and_the_label_without_a_feature(line: bytes, is_label: bool) -> None:
    found = sort([line], parse_pipeline(FAST).contract)
    assert bool(found.labels) is is_label
    assert bool(found.records) is not is_label
