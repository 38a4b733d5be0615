"""What a host is to the machine that it runs on, and to the service around it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from shared.adapters.faust import FAILED
from shared.adapters.faust.staging import Staging, Unsupported
from shared.adapters.kafka.connection import Connection
from shared.runtime.advance import Held
from shared.runtime.aside import OUTSIDE
from shared.runtime.core import Answer, Append, Message, Run, Unit
from tests.integration.faust.hosting import Process, in_thread, toy_host
from tests.integration.faust.toy import LEFT, PARTITIONS, Tally, Toy, World, world
from tests.waiting import until

LISTENING = "0A"
"""State of a socket that waits for connections, in /proc/net/tcp."""


def test_no_port_and_no_folder(broker: str, tmp_path: Path) -> None:
    """Stock Faust listens on 6066 and keeps a data folder where it's started."""
    made = world(broker)
    host = Process(made, tmp_path).start()
    made.write(LEFT, "a", b"add 1")
    until(lambda: len(made.outputs()) == 1, "the host is at work")
    assert host.running is not None
    assert set(sockets(host.running.pid)) & set(listening()) == set()
    assert list(Path.cwd().glob("*-data")) == []
    assert host.stop() == 0
    made.close()


def test_what_it_tells(broker: str, tmp_path: Path) -> None:
    """Counters for health, an observer for metrics."""
    made, told = world(broker), Told()
    made.write(LEFT, "a", b"add 1", b"add 2")
    host = toy_host(made.connection, tmp_path, observer=told)
    assert not host.assigned
    with in_thread(host):
        until(lambda: host.handled >= 2, "both handled")
        assert host.assigned
        assert host.appended == 2
    assert not host.assigned
    assert (told.read, told.written, told.states["a"]) == ([b"add 1", b"add 2"], [b"1", b"3"], Tally(2, {LEFT: 3}))
    again = Told()
    with in_thread(toy_host(made.connection, tmp_path, observer=again)):
        until(lambda: again.states == {"a": Tally(2, {LEFT: 3})}, "the state it begins with is told")
    assert again.read == []
    made.close()


def test_a_spare_member_is_ready_too(broker: str, tmp_path: Path) -> None:
    """Of more members than partitions, one has nothing to do until another leaves."""
    made = world(broker)
    hosts = [toy_host(made.connection, tmp_path) for _ in range(PARTITIONS + 1)]
    with ExitStack() as stack:
        for host in hosts:
            stack.enter_context(in_thread(host))
        until(lambda: all(host.assigned for host in hosts), "all are ready, one of them with nothing")
        for number in range(12):
            made.write(LEFT, f"unit-{number}", b"add 1")
        until(lambda: len(made.outputs()) == 12, "everything handled")
        assert 0 in [host.handled for host in hosts]
    made.close()


def test_topics_that_are_missing_are_named(broker: str, tmp_path: Path) -> None:
    """Nothing declares them on the way: that is the init job's."""
    host = Process(World(Connection(broker, f"test-{uuid4().hex[:8]}")), tmp_path).start()
    assert host.ended() == FAILED
    assert "were the topics created?" in host.log.read_text()


def test_effects_that_it_cannot_carry_out_are_nobodys_dead_letter() -> None:
    staging = Staging({}, {})
    attempts: tuple[Callable[[], None], ...] = (
        lambda: staging.save(Unit("a"), Held(Tally(), timers={"soon": 1})),
        lambda: staging.start(Run("job", 1, b"")),
        lambda: staging.answer(Answer("question", 200, b"")),
    )
    for attempt in attempts:
        with pytest.raises(Unsupported, match="run this core over a"):
            attempt()
    assert issubclass(Unsupported, OUTSIDE)


def test_a_core_with_lanes_is_refused(tmp_path: Path) -> None:
    class Lanes(Toy):
        per_lane = True

    with pytest.raises(ValueError, match="run it over a LogHost"):
        toy_host(None, tmp_path, Lanes())  # type: ignore[arg-type]


class Told:
    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.written: list[bytes] = []
        self.states: dict[str, object] = {}

    def opened(self) -> None:
        self.states.clear()

    def seen(self, message: Message) -> None:
        self.read.append(message.value)

    def said(self, append: Append) -> None:
        self.written.append(append.value)

    def moved(self, unit: Unit, state: object) -> None:
        self.states[unit.pipeline] = state


def sockets(pid: int) -> Iterator[str]:
    """Inodes of a process's sockets."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            target = os.readlink(entry)
            if target.startswith("socket:["):
                yield target[8:-1]


def listening() -> Iterator[str]:
    for family in ("tcp", "tcp6"):
        for line in Path("/proc/net", family).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING:
                yield fields[9]
