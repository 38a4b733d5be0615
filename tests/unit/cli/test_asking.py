"""Commands to the running system: through the door, answered in the ledger by whoever owns them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.cli import asking, running
from shared.events.base import Event
from shared.events.deployment import ApprovalAwaited
from shared.events.drift_detection import DataFaultFound
from shared.events.envelope import from_message, to_append
from shared.events.topics import COMMANDS, LEDGER
from shared.runtime.hosts import append_to
from tests.unit.cli.calls import call
from tests.unit.cli.system import LATE, House, house, opened


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with opened(house(), monkeypatch) as some:
        yield some


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(LATE)
    return path


def ledger(some: House) -> list[Event]:
    found = (from_message(message) for message in some.log.read(LEDGER.name, 0, 0, 1000))
    return [event for event in found if event is not None]


def said(some: House, event: Event) -> None:
    """What a service would have said in the ledger."""
    with some.lock:
        append_to(some.log, to_append(LEDGER.name, event))
        some.system.loop.drain()


def test_a_file_is_applied_and_the_ledger_says_so(shop: House, file: Path) -> None:
    told = call("apply", file)
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith("pipeline file ")
    assert told.out.endswith(" in force\n")


def test_a_file_with_a_mistake_is_not_sent(shop: House, file: Path) -> None:
    file.write_text(LATE + "lables: 3\n")
    told = call("apply", file)
    assert (told.code, told.out) == (2, "")
    assert "the nearest is" in told.err
    assert not shop.log.read(COMMANDS.name, 0, 0, 10)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("pause shop", 0, "retraining paused"),
        ("resume shop", 0, "retraining resumed"),
        ("retrain shop", 1, "no training (request): 0 labelled rows are fewer than minimum_labels (20)"),
        ("rollback shop", 1, "command refused: there is no earlier version to return to"),
        (f"approve shop {'0' * 36}", 1, "does not await approval; awaiting: none"),
        (f"clear-fault shop {'0' * 36}", 1, "is open; open: none"),
    ],
)
def test_the_ledgers_answer_is_printed_and_a_refusal_is_code_1(
    shop: House, file: Path, command: str, code: int, words: str
) -> None:
    call("apply", file)
    told = call(*command.split())
    assert (told.code, told.err) == (code, "")
    assert words in told.out
    assert told.out.count("\n") == 1


def test_an_older_answer_is_not_taken_for_this_commands(shop: House, file: Path) -> None:
    call("apply", file)
    assert "paused" in call("pause", "shop").out
    assert "paused" in call("pause", "shop").out
    commands = [event for message in shop.log.read(COMMANDS.name, 0, 0, 10) if (event := from_message(message))]
    assert len({event.event_id for event in commands}) == 3


def test_without_waiting_the_commands_id_is_told(shop: House, file: Path) -> None:
    call("apply", file)
    told = call("pause", "shop", "--no-wait")
    assert told.code == 0
    assert told.out.startswith("sent; its answer will be in the ledger under command ")


def test_a_pipeline_that_nobody_applied_is_a_mistake(shop: House) -> None:
    told = call("pause", "shop")
    assert (told.code, told.out) == (2, "")
    assert "apply its file first" in told.err
    assert told.err.count("\n") == 1


def test_the_beginning_of_a_version_or_fault_is_enough(shop: House, file: Path) -> None:
    call("apply", file)
    fault = DataFaultFound(
        pipeline="shop", fault="f" * 36, kind="nulls", column="price", share=1, detail="", generation=1, epoch=1,
        first=0, last=1,
    )  # fmt: skip
    said(shop, fault)
    told = call("clear-fault", "shop", "ffff")
    assert f"no data fault {'f' * 36} is open" in told.out
    assert "0 begin so" in call("clear-fault", "shop", "abc").err
    assert "ffffffff (nulls of price since row 0)" in call("status", "--pipeline", "shop").out


def test_an_approval_names_the_version_that_waits(shop: House, file: Path) -> None:
    call("apply", file)
    said(shop, ApprovalAwaited(pipeline="shop", version="v" * 36, job="j", cause="c", reasons=()))
    told = call("approve", "shop", "v" * 36)
    assert told.code == 1
    assert f"version {'v' * 36} does not await approval" in told.out


def test_where_nobody_answers_the_wait_ends(shop: House, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call("apply", file)
    monkeypatch.setattr(asking, "PATIENCE", 0.2)
    with silent(shop):
        told = call("pause", "shop")
    assert told.code == 1
    assert "no answer within 0 s to command" in told.err


@contextmanager
def silent(some: House) -> Iterator[None]:
    """The door takes commands, and nobody reads them."""
    drain = some.system.loop.drain
    some.system.loop.drain = lambda: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        some.system.loop.drain = drain  # type: ignore[method-assign]


def test_where_the_ledger_can_not_be_read_nothing_is_sent(
    shop: House, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("apply", file)

    @contextmanager
    def nowhere() -> Iterator[None]:
        raise running.NoLog("the running system's ledger can't be read")
        yield

    monkeypatch.setattr(running, "opened_log", nowhere)
    told = call("pause", "shop")
    assert told.code == 2
    assert "nothing was sent. --no-wait" in told.err
    assert len(shop.log.read(COMMANDS.name, 0, 0, 10)) == 1
    assert call("pause", "shop", "--no-wait").code == 0


def test_where_no_door_answers_it_is_one_line(monkeypatch: pytest.MonkeyPatch, shop: House) -> None:
    monkeypatch.setattr(asking, "DOOR_SECONDS", 0.1)
    told = call("pause", "shop", "--url", "http://127.0.0.1:1")
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
