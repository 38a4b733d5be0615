"""The loop opens, turns, waits, opens again when the log fails, and closes in any case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from shared.adapters.memory import MemoryBlobs, MemoryLog, TopicSettings
from shared.operations.health import Health
from shared.operations.lifecycle import OK, SOFTWARE, TEMPORARY, Lifecycle
from shared.operations.loop import LONGEST_PAUSE, Pause, WorkerPart, run
from shared.operations.metrics import Metrics
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Input, Message, Read, Step, Tick, Unit, Wake
from shared.runtime.hosts import ProcessHost
from shared.runtime.partitions import partition_of
from shared.runtime.ports import Fenced, Indefinite, LogError, Place, Unsettled
from shared.runtime.worker import Worker

Turn = bool | Exception


class Scripted:
    """Does what its script says, turn by turn; its end is the word to stop. ``did``: what was asked of it."""

    def __init__(self, *turns: Turn, lifecycle: Lifecycle, health: Health, fails_to_close: bool = False) -> None:
        self.did: list[str] = []
        self.ready: list[bool] = []
        self._turns = list(turns)
        self._lifecycle = lifecycle
        self._health = health
        self._fails_to_close = fails_to_close

    def open(self) -> None:
        self.did.append("open")

    def turn(self) -> bool:
        self.did.append("turn")
        self.ready.append(self._health.ready()[0])
        turn = self._turns.pop(0)
        if not self._turns:
            self._lifecycle.stopping.set()
        if isinstance(turn, Exception):
            raise turn
        return turn

    def wait(self, seconds: float) -> None:
        self.did.append("wait")

    def close(self) -> None:
        self.did.append("close")
        if self._fails_to_close:
            raise Indefinite("the coordinator did not answer")


class Life:
    """One run of the loop over a script."""

    def __init__(self, *turns: Turn, stall: float = 60, fails_to_close: bool = False) -> None:
        self.health, self.metrics, lifecycle = Health(stall), Metrics(), Lifecycle(60)
        self.part = Scripted(*turns, lifecycle=lifecycle, health=self.health, fails_to_close=fails_to_close)
        self.code = run(self.part, lifecycle, self.health, self.metrics)

    def errors(self, kind: str) -> float | None:
        return self.metrics.registry.get_sample_value("driftloop_log_errors_total", {"error": kind})


def test_it_waits_when_nothing_moved() -> None:
    life = Life(True, False, True)
    assert life.code == OK
    assert life.part.did == ["open", "turn", "turn", "wait", "turn", "close"]
    assert life.part.ready == [True, True, True]
    assert life.health.ready() == (False, "stopping")


def test_an_error_of_the_log_opens_it_again() -> None:
    life = Life(True, Fenced("another incarnation took over"), True)
    assert life.code == OK
    assert life.part.did == ["open", "turn", "turn", "open", "turn", "close"]
    assert life.errors("Fenced") == 1


def test_what_is_undecided_is_nothing_to_shout_about(caplog: pytest.LogCaptureFixture) -> None:
    Life(Unsettled("behind an open transaction"), Fenced("another incarnation took over"), True)
    assert [record.getMessage() for record in caplog.records] == ["opens again: another incarnation took over"]


def test_an_error_of_the_log_that_lasts_ends_it_for_another_try_elsewhere() -> None:
    life = Life(*[Indefinite("no answer")] * 10, stall=0)
    assert life.code == TEMPORARY
    assert life.part.did[-1] == "close"
    assert life.errors("Indefinite") == 2


def test_a_defect_ends_it() -> None:
    life = Life(True, ValueError("a defect"), True)
    assert life.code == SOFTWARE
    assert life.part.did == ["open", "turn", "turn", "close"]


@pytest.mark.parametrize(("last", "code"), [(True, OK), (ValueError("a defect"), SOFTWARE)])
def test_what_fails_to_close_does_not_change_why_it_ended(last: Turn, code: int) -> None:
    assert Life(last, fails_to_close=True).code == code


class TestPause:
    def test_grows_and_differs_from_process_to_process(self) -> None:
        pauses = [list(lengths(Pause(60, lambda: 0.0), 12)) for _ in range(2)]
        assert pauses[0] != pauses[1]
        assert all(0.025 <= each[0] <= 0.05 for each in pauses)
        assert all(LONGEST_PAUSE / 2 <= each[-1] <= LONGEST_PAUSE for each in pauses)

    def test_begins_anew_when_something_worked(self) -> None:
        pause = Pause(60, lambda: 0.0)
        list(lengths(pause, 12))
        pause.over()
        assert pause.next(LogError("no answer")) <= 0.05

    def test_gives_up_with_the_error_itself(self) -> None:
        moments = iter([0.0, 59.0, 61.0])
        pause = Pause(60, lambda: next(moments))
        list(lengths(pause, 2))
        with pytest.raises(LogError, match="no answer"):
            pause.next(LogError("no answer"))


def lengths(pause: Pause, times: int) -> Iterable[float]:
    return (pause.next(LogError("no answer")) for _ in range(times))


class FollowedLog(MemoryLog):
    """``followed``: what it was told to fetch ahead; ``stuck``: where nothing arrives."""

    def __init__(self) -> None:
        super().__init__(lambda: self.time)
        self.time = 0
        self.followed: tuple[Place, ...] = ()
        self.stuck: Place | None = None
        self.create("in", TopicSettings(2))

    def follow(self, places: Iterable[Place]) -> None:
        self.followed = tuple(places)

    def wait(self, seconds: float) -> None:
        """Nothing comes by itself."""

    def stalled(self, seconds: float) -> Place | None:
        return self.stuck


@dataclass(frozen=True, slots=True)
class Heard:
    """Messages and ticks so far."""

    messages: int = 0
    ticks: int = 0


class Listener:
    """Counts, and asks for a tick a second after each message."""

    name = "listener"
    reads = ("in",)
    state_type: Any = Heard
    per_lane = False

    def initial(self, unit: Unit) -> Heard:
        return Heard()

    def handle(self, state: Heard, item: Input, read: Read) -> Step[Heard]:
        if isinstance(item, Tick):
            return Step(Heard(state.messages, state.ticks + 1))
        assert isinstance(item, Message)
        return Step(Heard(state.messages + 1, state.ticks), (Wake("later", item.timestamp + 1000),))


def at_home_in(partition: int) -> str:
    """A pipeline whose partition this is."""
    return next(name for name in (f"p{number}" for number in count()) if partition_of(name, None, 2) == partition)


class Bench:
    """A worker's part on a log in memory."""

    def __init__(self) -> None:
        self.log = FollowedLog()
        self.host = ProcessHost(Listener(), self.log, lambda _: None, lambda _: None)
        worker = Worker(Listener(), self.log, BlobReader(MemoryBlobs()), self.host, lane_topics=frozenset())
        self.extras: list[str] = []
        self.part = WorkerPart(worker, self.log, close=lambda: None, extra=(self._beat, self._report))
        self.part.open()

    def bring(self, partition: int, messages: int = 1) -> None:
        for _ in range(messages):
            self.log.append("in", partition, at_home_in(partition), b"", {})

    def heard(self, partition: int) -> Heard:
        held = self.host.held(Unit(at_home_in(partition)))
        assert held is not None
        state: Heard = held.state
        return state

    def _beat(self) -> bool:
        self.extras.append("beat")
        return False

    def _report(self) -> bool:
        self.extras.append("report")
        return False


class TestWorkerPart:
    def test_keeps_no_partition_and_no_timer_and_no_extra_waiting_behind_a_busy_partition(self) -> None:
        bench = Bench()
        bench.bring(0, messages=1000)
        bench.bring(1)
        assert bench.part.turn()
        bench.log.time = 1000
        assert bench.part.turn()
        assert bench.heard(0).messages < 1000
        assert bench.heard(1).messages == 1
        assert bench.heard(0).ticks + bench.heard(1).ticks == 1
        assert bench.extras == ["beat", "report"] * 2

    def test_rests_when_nothing_moved(self) -> None:
        bench = Bench()
        assert not bench.part.turn()
        assert bench.log.followed == (("in", 0), ("in", 1))

    def test_opens_anew_where_nothing_arrives(self) -> None:
        bench = Bench()
        bench.part.wait(0.1)
        bench.log.stuck = ("in", 1)
        bench.part.turn()
        with pytest.raises(LogError, match="nothing arrived from in/1"):
            bench.part.wait(0.1)
        assert bench.log.followed == (), "so that the log gives its consumer up"
        bench.part.turn()
        assert bench.log.followed == (("in", 0), ("in", 1))
