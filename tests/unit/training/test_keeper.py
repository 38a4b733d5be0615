"""Jobs under way show signs of life; one whose process died without a word is reported, and may be tried again."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.training.keeper import BEAT, Keeper
from services.training.work import encode_work
from shared.events.base import Event
from shared.events.envelope import from_message
from shared.events.jobs import LEASE
from shared.events.training import DataRange, JobBeat, JobFailed, TrainingRequested
from shared.runtime.core import Append, Message, Run


@dataclass
class Gone:
    run: Run
    reason: str


@dataclass
class Crew:
    """Processes that end when a test says so."""

    runs: tuple[Run, ...] = ()
    gone: list[Gone] = field(default_factory=list)

    def start(self, run: Run) -> None:
        self.runs = (*self.runs, run)

    def turn(self) -> tuple[Gone, ...]:
        gone, self.gone = tuple(self.gone), []
        return gone


@dataclass
class Bench:
    crew: Crew = field(default_factory=Crew)
    said: list[Event] = field(default_factory=list)
    time: int = 0

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.crew, self._append, lambda: self.time)

    def _append(self, append: Append) -> None:
        event = from_message(Message(append.topic, 0, 0, 0, "p", append.value, append.headers))
        assert event is not None
        self.said.append(event)


def run() -> Run:
    request = TrainingRequested(
        pipeline="p", job="j", cause="c", trigger="drift", stage=0, window="last", since_label=0,
        data=DataRange(first_label=0, last_label=1, lanes=()), seed=0, file="f", row=1, label=1,
    )  # fmt: skip
    return Run("j", 17, encode_work(request, ()))


def test_a_job_under_way_gives_several_signs_of_life_within_a_lease() -> None:
    bench = Bench()
    bench.crew.start(run())
    for bench.time in range(0, LEASE, 1000):
        bench.keeper.turn()
    beats = [event for event in bench.said if isinstance(event, JobBeat)]
    assert len(beats) == LEASE // BEAT >= 3
    assert {(beat.job, beat.token) for beat in beats} == {("j", 17)}
    assert len({beat.event_id for beat in beats}) == len(beats)


def test_nothing_is_said_where_nothing_runs() -> None:
    bench = Bench()
    assert not bench.keeper.turn()
    assert bench.said == []


def test_a_process_that_died_is_a_failed_attempt_under_its_own_token() -> None:
    bench = Bench()
    bench.crew.gone = [Gone(run(), "ended by signal 9")]
    assert bench.keeper.turn()
    [failed] = bench.said
    assert isinstance(failed, JobFailed)
    assert (failed.job, failed.token, failed.final) == ("j", 17, False)


def test_a_process_that_did_its_work_has_spoken_for_itself() -> None:
    bench = Bench()
    bench.crew.gone = [Gone(run(), "")]
    assert not bench.keeper.turn()
    assert bench.said == []
