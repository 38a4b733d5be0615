"""Whatever goes wrong with a batch ends the process, and the next one does all of it again: nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.adapters.faust import FAILED
from shared.adapters.files import FileBlobs
from tests.integration.broker import Broker
from tests.integration.faust.hosting import QUICK, Process
from tests.integration.faust.toy import LEFT, OUT, Tally, World, world
from tests.waiting import until


@pytest.fixture
def made(broker: str) -> Iterator[World]:
    made = world(broker)
    yield made
    made.close()


@pytest.fixture
def host(made: World, tmp_path: Path) -> Iterator[Process]:
    process = Process(made, tmp_path)
    yield process
    if process.alive():
        process.kill()


@pytest.mark.parametrize("instruction", [b"open", b"cancel"])
def test_an_error_from_outside_and_a_cancellation(
    made: World, host: Process, tmp_path: Path, instruction: bytes
) -> None:
    """Stock Faust acknowledges both. A blob that is not there is no input's fault, so none is set aside for it."""
    digest = FileBlobs(tmp_path / "elsewhere").put(b"late")
    made.write(LEFT, "a", b"add 1", instruction + b" " + digest.encode(), b"add 2")
    assert host.start().ended() == FAILED
    assert "a batch could not be finished" in host.log.read_text()
    assert all(held.state.count < 2 for held in made.states().values()), "nothing of the batch is done"
    FileBlobs(tmp_path / "blobs").put(b"late")
    host.start()
    until(lambda: list(made.outputs().values()) == [b"1", b"late", b"3"], "all three handled")
    assert host.stop() == 0


def test_an_append_that_the_broker_refuses(made: World, host: Process) -> None:
    made.write(LEFT, "a", b"add 1", b"write 60000", b"add 2")
    assert host.start().ended() == FAILED
    assert "MessageSizeTooLarge" in host.log.read_text()
    assert all(held.state.count < 2 for held in made.states().values()), "no state without its appends"
    made.configure(OUT, max_message_bytes="100000")
    host.start()
    until(lambda: list(made.outputs().values()) == [b"1", b"x" * 60_000, b"3"], "all three handled")
    assert host.stop() == 0


def test_a_core_that_hangs(made: World, tmp_path: Path) -> None:
    """Behind and without progress, the process ends: Faust itself would only log it."""
    made.write(LEFT, "a", b"hang")
    stuck = Process(made, tmp_path, patience=8.0).start()
    assert stuck.ended() == FAILED
    assert "without progress for 8 s" in stuck.log.read_text()


def test_a_broker_that_falls_silent(own_broker: Broker, tmp_path: Path) -> None:
    """Stock Faust commits offsets of events whose messages it has not been able to send."""
    made = world(own_broker.address)
    host = Process(made, tmp_path, patience=8.0)
    made.write(LEFT, "a", *[b"add 1"] * 500)
    until(lambda: len(host.kept_alive().world.outputs()) > 0, "the host is at work")
    with own_broker.paused():
        assert host.ended() == FAILED
    host.patience = QUICK.patience
    host.start()
    until(lambda: len(made.outputs()) == 500, "nothing is missing")
    # Outputs are there before the states that go with them.
    whole = {"a": Tally(500, {LEFT: 500})}
    until(lambda: {unit: held.state for unit, held in made.states().items()} == whole, "the state is right")
    assert host.stop() == 0
    made.close()
