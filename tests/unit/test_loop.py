"""The embedded host: which unit gets what, in which order, and what happens when nothing else moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.embedded.loop import Loop, Unanswered
from shared.adapters.memory import MemoryBlobs, MemoryLog, TopicSettings
from shared.runtime.core import Answer, Append, Core, Effect, Input, Message, Read, Request, Run, Step, Tick, Unit, Wake
from shared.runtime.hosts import append_to
from shared.runtime.jobs import JobServices
from shared.runtime.partitions import partition_of

LANE_TOPICS = frozenset({"rows", "out"})


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything a unit was handed, as text."""

    items: tuple[str, ...] = ()


def name_of(item: Input) -> str:
    match item:
        case Message():
            return f"{item.topic}:{item.value.decode()}"
        case Tick():
            return f"tick:{item.name}"
        case Request():
            return f"request:{item.action}"


@dataclass
class Diary:
    """A core that remembers its inputs and does what it's told for some of them."""

    name: str = "diary"
    reads: tuple[str, ...] = ("rows", "serving")
    per_lane: bool = True
    does: Callable[[Unit | None, Input], tuple[Effect, ...]] = lambda *_: ()
    state_type: Any = Seen

    def initial(self, unit: Unit) -> Seen:
        return Seen((f"lane {unit.lane}",))

    def handle(self, state: Seen, item: Input, read: Read) -> Step[Seen]:
        return Step(Seen((*state.items, name_of(item))), self.does(None, item))


@dataclass
class Bench:
    """A log with a clock, and the loops over it."""

    now: int = 0
    runs: list[str] = field(default_factory=list)
    partitions: int = 3

    def __post_init__(self) -> None:
        self.log = MemoryLog(lambda: self.now)
        self.blobs = MemoryBlobs()
        for topic in ("rows", "serving", "out", "ledger"):
            self.log.create(topic, TopicSettings(self.partitions, compacted=topic == "serving"))

    def loop(self, *cores: Core[Any], persist: bool = False, jobs: Any = None) -> Loop:
        return Loop(cores, self.log, self.blobs, jobs or self.ran, persist=persist, lane_topics=LANE_TOPICS)

    def ran(self, run: Run, services: JobServices) -> None:
        self.runs.append(run.job)

    def send(self, topic: str, value: bytes, lane: int | None = None, pipeline: str = "p") -> None:
        append_to(self.log, Append(topic, Unit(pipeline, lane), value))

    def said(self, topic: str = "out") -> list[bytes]:
        return [m.value for p in range(self.partitions) for m in self.log.read(topic, p, 0, 1000)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def seen(loop: Loop, lane: int | None = None, pipeline: str = "p", core: str = "diary") -> tuple[str, ...]:
    held = loop.held(core, Unit(pipeline, lane))
    assert held is not None
    return held.state.items  # type: ignore[no-any-return]


def test_each_lane_has_its_own_state(bench: Bench) -> None:
    loop = bench.loop(Diary())
    bench.send("rows", b"a", lane=0)
    bench.send("rows", b"b", lane=1)
    loop.drain()
    assert seen(loop, 0) == ("lane 0", "rows:a")
    assert seen(loop, 1) == ("lane 1", "rows:b")


def test_a_core_without_lanes_folds_them_into_one_state(bench: Bench) -> None:
    bench = Bench(partitions=1)
    loop = bench.loop(Diary(per_lane=False))
    bench.send("rows", b"a", lane=0)
    bench.send("rows", b"b", lane=1)
    loop.drain()
    assert seen(loop) == ("lane None", "rows:a", "rows:b")


def test_pipelines_do_not_meet(bench: Bench) -> None:
    loop = bench.loop(Diary())
    bench.send("rows", b"a", lane=0, pipeline="p")
    bench.send("rows", b"b", lane=0, pipeline="q")
    loop.drain()
    assert (seen(loop, 0, "p"), seen(loop, 0, "q")) == (("lane 0", "rows:a"), ("lane 0", "rows:b"))


def test_what_concerns_all_lanes_reaches_every_known_lane(bench: Bench) -> None:
    loop = bench.loop(Diary())
    for lane in (0, 1):
        bench.send("rows", b"a", lane=lane)
    loop.drain()
    bench.send("serving", b"v1")
    loop.drain()
    assert all(seen(loop, lane)[-1] == "serving:v1" for lane in (0, 1))


def test_a_lane_that_appears_later_is_handed_the_latest_before_its_first_row(bench: Bench) -> None:
    loop = bench.loop(Diary())
    for version in (b"v1", b"v2"):
        bench.send("serving", version)
    bench.send("rows", b"a", lane=2)
    loop.drain()
    assert seen(loop, 2) == ("lane 2", "serving:v2", "rows:a")


def test_what_concerns_all_lanes_of_one_pipeline_reaches_no_other(bench: Bench) -> None:
    loop = bench.loop(Diary())
    bench.send("serving", b"v1", pipeline="q")
    bench.send("rows", b"a", lane=0, pipeline="p")
    loop.drain()
    assert seen(loop, 0) == ("lane 0", "rows:a")


def test_a_cores_appends_go_to_the_units_partition_with_its_lane(bench: Bench) -> None:
    echo = Diary(does=lambda _, item: (Append("out", Unit("p", 2), b"x", {"own": "1"}),))
    loop = bench.loop(echo)
    bench.send("rows", b"a", lane=2)
    loop.drain()
    [message] = bench.log.read("out", partition_of("p", 2, 3), 0, 10)
    assert (message.key, dict(message.headers)) == (
        "p",
        {"own": "1", "lane": "2", "writer": echo.name, "covered": "rows/0=1"},
    )


def test_cores_are_drained_until_nothing_moves(bench: Bench) -> None:
    def countdown(_: Unit | None, item: Input) -> tuple[Effect, ...]:
        assert isinstance(item, Message)
        left = int(item.value)
        return (Append("ledger", Unit("p"), b"%d" % (left - 1)),) if left else ()

    loop = bench.loop(Diary(reads=("ledger",), per_lane=False, does=countdown))
    bench.send("ledger", b"100")
    loop.drain()
    assert len(seen(loop)) == 102


def test_timers_fire_in_log_time_once(bench: Bench) -> None:
    wake = Diary(does=lambda _, item: (Wake("check", 500),) if isinstance(item, Message) else ())
    loop = bench.loop(wake)
    bench.send("rows", b"a", lane=0)
    loop.drain()
    assert loop.wake_at() == 500
    assert "tick:check" not in seen(loop, 0)
    bench.now = 500
    loop.drain()
    loop.drain()
    assert seen(loop, 0)[-1] == "tick:check"
    assert seen(loop, 0).count("tick:check") == 1
    assert loop.wake_at() is None


def test_timers_due_at_once_fire_in_the_order_of_their_units(bench: Bench) -> None:
    def does(_: Unit | None, item: Input) -> tuple[Effect, ...]:
        if isinstance(item, Tick):
            return (Append("ledger", Unit("p"), item.name.encode()),)
        assert isinstance(item, Message)
        return (Wake(f"{item.key} {item.headers['lane']}", 500),)

    loop = bench.loop(Diary(does=does))
    for pipeline, lane in (("q", 1), ("p", 1), ("q", 0), ("p", 0)):
        bench.send("rows", b"a", lane=lane, pipeline=pipeline)
    loop.drain()
    bench.now = 500
    loop.drain()
    assert bench.said("ledger") == [b"p 0", b"p 1", b"q 0", b"q 1"]


def test_asking_again_moves_the_timer(bench: Bench) -> None:
    wake = Diary(does=lambda _, item: (Wake("check", int(item.value)),) if isinstance(item, Message) else ())
    loop = bench.loop(wake)
    for at in (b"500", b"900"):
        bench.send("rows", at, lane=0)
    loop.drain()
    bench.now = 600
    loop.drain()
    assert "tick:check" not in seen(loop, 0)
    assert loop.wake_at() == 900


def test_timers_of_all_cores_fire_by_due_time(bench: Bench) -> None:
    def at(time: int) -> Callable[[Unit | None, Input], tuple[Effect, ...]]:
        def does(_: Unit | None, item: Input) -> tuple[Effect, ...]:
            if isinstance(item, Tick):
                return (Append("out", Unit("p", 0), b"%d" % time),)
            return (Wake("check", time),)

        return does

    loop = bench.loop(Diary("late", ("rows",), does=at(200)), Diary("early", ("rows",), does=at(100)))
    bench.send("rows", b"a", lane=0)
    loop.drain()
    bench.now = 1_000
    loop.drain()
    assert bench.said() == [b"100", b"200"]


def test_jobs_run_in_order_when_everything_else_rests(bench: Bench) -> None:
    starts = Diary(does=lambda _, item: (Run(name_of(item), 0, b""),))

    def job(run: Run, _: JobServices) -> None:
        bench.runs.append(f"{run.job} after {len(seen(loop, 0)) - 1}")

    loop: Loop = bench.loop(starts, jobs=job)
    for value in (b"a", b"b"):
        bench.send("rows", value, lane=0)
    loop.drain()
    assert bench.runs == ["rows:a after 2", "rows:b after 2"]


def test_what_a_job_appends_is_drained_before_the_next_job(bench: Bench) -> None:
    starts = Diary(does=lambda _, item: (Run(name_of(item), 0, b""),) if name_of(item).startswith("rows") else ())

    def job(run: Run, services: JobServices) -> None:
        bench.runs.append(f"{run.job} {len(bench.said('ledger'))}")
        services.append(Append("ledger", Unit("p"), b"done"))

    follows = Diary("follows", ("ledger",), per_lane=False, does=lambda *_: (Append("out", Unit("p", 0), b"saw"),))
    loop = bench.loop(starts, follows, jobs=job)
    for value in (b"a", b"b"):
        bench.send("rows", value, lane=0)
    loop.drain()
    assert bench.runs == ["rows:a 0", "rows:b 1"]
    assert bench.said() == [b"saw", b"saw"]


def test_a_request_is_answered_after_its_appends(bench: Bench) -> None:
    def reply(_: Unit | None, item: Input) -> tuple[Effect, ...]:
        assert isinstance(item, Request)
        return (Answer(item.id, 200, b"%d" % len(bench.said())), Append("out", Unit("p", 0), item.body))

    loop = bench.loop(Diary(does=reply))
    answer = loop.request("diary", Unit("p", 0), Request("r1", "put", b"x", 0))
    assert (answer.status, answer.request) == (200, "r1")
    assert bench.said() == [b"x"]


def test_a_request_may_be_answered_by_what_it_sets_in_motion(bench: Bench) -> None:
    def reply(_: Unit | None, item: Input) -> tuple[Effect, ...]:
        if isinstance(item, Request):
            return (Append("rows", Unit("p", 0), item.id.encode()),)
        assert isinstance(item, Message)
        return (Answer(item.value.decode(), 202, b""),)

    assert bench.loop(Diary(does=reply)).request("diary", Unit("p", 0), Request("r1", "put", b"", 0)).status == 202


def test_a_request_that_nobody_answers_is_an_error(bench: Bench) -> None:
    with pytest.raises(Unanswered, match="r1"):
        bench.loop(Diary()).request("diary", Unit("p", 0), Request("r1", "put", b"", 0))


def test_a_persistent_loop_goes_on_where_the_last_one_stopped(bench: Bench) -> None:
    core = Diary(does=lambda _, item: (Append("out", Unit("p", 0), b"x"), Wake("check", 700)))
    bench.send("serving", b"v1")
    bench.send("rows", b"a", lane=0)
    bench.loop(core, persist=True).drain()
    bench.send("rows", b"b", lane=0)
    second = bench.loop(core, persist=True)
    second.drain()
    assert seen(second, 0) == ("lane 0", "serving:v1", "rows:a", "rows:b")
    assert bench.said() == [b"x"] * 3
    assert second.wake_at() == 700


def test_both_kinds_of_loop_and_any_repetition_give_the_same_history(bench: Bench) -> None:
    def history(persist: bool) -> list[bytes]:
        fresh = Bench()
        core = Diary(does=lambda _, item: (Append("out", Unit("p", 1), name_of(item).encode()),))
        loop = fresh.loop(core, persist=persist)
        for number in range(50):
            fresh.send("rows", b"%d" % number, lane=number % 3)
            if number % 7 == 0:
                fresh.send("serving", b"v%d" % number)
                loop.drain()
        loop.drain()
        return fresh.said()

    assert history(False) == history(False) == history(True)


def test_cores_that_join_topics_need_equal_partition_counts(bench: Bench) -> None:
    bench.log.create("lonely", TopicSettings(1))
    with pytest.raises(ValueError, match="make partition counts equal"):
        bench.loop(Diary(reads=("ledger", "lonely"), per_lane=False))
