"""The running system looked at: its ledger in words and raw, followed, explained; how things stand, and who says so."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Timer
from time import time

import pytest

from services.cli import running, standings
from services.cli.errors import UserError
from services.deployment.standings import document
from services.deployment.state import DeploymentState, Fault
from services.embedded.plant import Plant
from shared.access.stores import Standing
from shared.adapters.memory import MemoryBlobs, MemoryLog
from shared.events.topics import LEDGER, TOPICS
from shared.events.training import TrainingCompleted
from tests.unit.cli.calls import call
from tests.unit.cli.system import House, found_by_commands, house, opened
from tests.unit.embedded.lives import Life, live, plant_pipeline

PLANT = "bottling-plant"


@cache
def short_life() -> Life:
    return live(plant_pipeline(), Plant(rows=1500).batches(25), 100)


@pytest.fixture
def life(monkeypatch: pytest.MonkeyPatch) -> Life:
    """What the plant went through until its first drift, as the log of a running system that has no doors."""
    lived = short_life()
    found_by_commands(monkeypatch, lived.log, lived.blobs)
    monkeypatch.setenv("DRIFTLOOP_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(standings, "DOOR_SECONDS", 0.05)
    return lived


@pytest.fixture
def version(life: Life) -> str:
    return next(event.version for event in life.ledger if isinstance(event, TrainingCompleted))


def test_the_timeline_tells_the_ledger_in_words(life: Life) -> None:
    told = call("timeline", "--pipeline", PLANT)
    assert (told.code, told.err) == (0, "")
    assert "is the first model in service" in told.out
    assert "drift detected" in told.out
    assert "taken by" not in told.out
    assert "taken by" in call("timeline", "--pipeline", PLANT, "--all").out


def test_the_raw_timeline_is_the_ledger_event_by_event(life: Life) -> None:
    lines = [json.loads(line) for line in call("timeline", "--pipeline", PLANT, "--json").out.splitlines()]
    assert [line["id"] for line in lines] == [event.event_id for event in life.ledger]
    assert all({"type", "data"} <= line.keys() for line in lines)
    assert any(line.get("correlation") for line in lines)


def test_a_folders_timeline_is_raw_in_the_same_form(life: Life, tmp_path: Path) -> None:
    raw = call("timeline", "--pipeline", PLANT, "--json").out
    (tmp_path / "ledger.jsonl").write_text(raw)
    assert call("timeline", tmp_path, "--json").out == raw


def test_a_followed_timeline_goes_on_until_it_is_told_to_stop(
    life: Life, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    messages = life.messages(LEDGER.name)
    log = MemoryLog.of(TOPICS, lambda: 0)
    for message in messages[:-50]:
        log.append(LEDGER.name, 0, message.key, message.value, message.headers)
    found_by_commands(monkeypatch, log, life.blobs)

    def grow() -> None:
        for message in messages[-50:]:
            log.append(LEDGER.name, 0, message.key, message.value, message.headers)

    for seconds, act in ((0.3, grow), (1.0, lambda: signal.raise_signal(signal.SIGINT))):
        Timer(seconds, act).start()
    told = call("timeline", "--pipeline", PLANT, "--follow")
    assert told.code == 0
    assert told.out == call("timeline", "--pipeline", PLANT).out


def test_a_version_of_the_running_system_is_explained_and_made_again(life: Life, version: str) -> None:
    told = call("explain", "--pipeline", PLANT, version[:8])
    assert told.out.startswith(f"version {version}\n")
    assert "the stream's first labelled rows" in told.out
    assert call("explain", "--pipeline", PLANT, version, "--card").out.startswith("---\nlibrary_name: sklearn")
    again = call("reproduce", "--pipeline", PLANT, version)
    assert again.code == 0, again.out


def test_blobs_that_can_not_be_reached_are_said_to_be(
    life: Life, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> MemoryBlobs:
        raise UserError("the running system's blobs can't be read from here")

    monkeypatch.setattr(running, "opened_blobs", nowhere)
    assert call("explain", "--pipeline", PLANT, version).code == 0
    for arguments in (("explain", version, "--card"), ("reproduce", version)):
        told = call(*arguments, "--pipeline", PLANT)
        assert told.code == 2
        assert "can't be read from here" in told.err


def test_the_blobs_folder_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DRIFTLOOP_BLOBS_FOLDER", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"there is no folder .*nowhere; mount it and set DRIFTLOOP_BLOBS_FOLDER"):
        running.opened_blobs()


def test_without_a_read_model_the_ledger_says_how_things_stand(life: Life) -> None:
    told = call("status", "--pipeline", PLANT)
    assert told.code == 0
    lines = dict(line.split("  ", 1) for line in told.out.splitlines())
    assert "generation" in lines["champion"]
    assert lines["told by"].strip() == "the ledger, to its end (the door does not answer)"


def test_the_ledgers_fold_is_deployments_own(life: Life) -> None:
    stand = json.loads(call("status", "--pipeline", PLANT, "--json").out)
    assert (stand["pipeline"], stand["source"]) == (PLANT, "ledger")
    assert stand["ledger_offset"] == life.messages(LEDGER.name)[-1].offset + 1
    champion = call("status", "--pipeline", PLANT).out.splitlines()[1].split()[1].rstrip(",")
    assert stand["standing"]["champion"]["version"] == champion


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with opened(house(), monkeypatch) as some:
        some.system.apply()
        yield some


def test_the_read_model_is_asked_first_and_its_age_told(shop: House) -> None:
    fault = Fault("a" * 36, "stale", "price", 1100)
    state = DeploymentState("shop", row=1200, generation=3, faults=(fault,), paused=True)
    shop.status.standings["shop"] = Standing("shop", 41, int(time() * 1000) - 4000, document(state))
    told = call("status", "--pipeline", "shop").out
    assert "pipeline         shop (retraining paused)" in told
    assert "(stale of price since row 1,100)" in told
    assert "last event       row 1,200" in told
    assert re.search("told by          read model, [0-9]+ s old", told)
    as_json = json.loads(call("status", "--pipeline", "shop", "--json").out)
    assert (as_json["source"], as_json["ledger_offset"]) == ("read model", 41)
    assert as_json["standing"]["generation"] == 3


@pytest.mark.parametrize("options", [("--pipeline", "shop"), ("--all",)])
def test_a_read_model_that_is_down_or_empty_is_done_without(shop: House, options: tuple[str, ...]) -> None:
    assert "told by          the ledger, to its end (the read model" in call("status", *options).out
    shop.status.down = True
    assert "(the read model does not answer)" in call("status", *options).out


def test_both_sources_have_the_same_fields(shop: House) -> None:
    folded = json.loads(call("status", "--all", "--json").out)[0]
    shop.status.standings["shop"] = Standing("shop", 1, 0, document(DeploymentState("shop")))
    shown = json.loads(call("status", "--all", "--json").out)[0]
    assert folded.keys() == shown.keys()
    assert folded["standing"].keys() == shown["standing"].keys()


def test_an_unknown_pipeline_is_answered_with_the_known_ones(shop: House) -> None:
    for command in (("status",), ("timeline",), ("explain", "x"), ("reproduce", "x")):
        told = call(*command, "--pipeline", "shpo")
        assert (told.code, told.out) == (2, "")
        assert "has none of this name; there are: shop" in told.err


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ("status . --pipeline shop", "a folder and --pipeline exclude each other"),
        ("status --all --pipeline shop", "exclude each other"),
        ("timeline . --pipeline shop", "a folder and --pipeline exclude each other"),
        ("timeline . --follow", "--follow goes with --pipeline"),
        ("explain x . --pipeline shop", "a folder and --pipeline exclude each other"),
        ("doctor . --running", "--running looks at the running system"),
    ],
)
def test_what_does_not_go_together_is_a_mistake(shop: House, arguments: str, cause: str) -> None:
    told = call(*arguments.split())
    assert (told.code, told.out) == (2, "")
    assert cause in told.err


def test_a_broker_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def refused() -> Iterator[None]:
        raise running.NoLog("the running system's ledger can't be read at nowhere:1")
        yield

    monkeypatch.setattr(running, "opened_log", refused)
    monkeypatch.setenv("DRIFTLOOP_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(standings, "DOOR_SECONDS", 0.05)
    for command in (("status",), ("timeline",), ("timeline", "--follow")):
        told = call(*command, "--pipeline", "shop")
        assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
