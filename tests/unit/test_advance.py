"""The one function that moves a core: what it skips, what it performs, in which order, and what a failure leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.adapters.memory import MemoryBlobs
from shared.runtime.advance import COVERED, TICKED, WRITER, Held, advance
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Answer, Append, Effect, Input, Message, Read, Request, Run, Step, Tick, Unit, Wake
from shared.runtime.partitions import partition_of
from shared.runtime.ports import Place

UNIT = Unit("p")
READ = BlobReader(MemoryBlobs())


class Counter:
    """Counts inputs; each has the same effects."""

    name = "counter"
    reads = ("in",)
    state_type = int
    per_lane = False

    def __init__(self, *effects: Effect) -> None:
        self.effects = effects

    def initial(self, unit: Unit) -> int:
        return 0

    def handle(self, state: int, item: Input, read: Read) -> Step[int]:
        return Step(state + 1, self.effects)


@dataclass
class Notebook:
    """A host that writes down what it's asked to do. ``fails_at``: which append raises."""

    stored: dict[Unit, Held[Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    fails_at: int = -1

    def held(self, unit: Unit) -> Held[Any] | None:
        return self.stored.get(unit)

    @contextmanager
    def work(self) -> Iterator[Notebook]:
        self.calls.append("begin")
        yield self
        self.calls.append("commit")

    def append(self, effect: Append) -> None:
        if self.calls.count("append") == self.fails_at:
            raise ConnectionError("lost")
        self.calls.append("append")

    def save(self, unit: Unit, held: Held[Any]) -> None:
        self.calls.append("save")
        self.stored[unit] = held

    def cover(self, positions: Mapping[Place, int]) -> None:
        self.calls.append(f"cover {dict(positions)}")

    def start(self, run: Run) -> None:
        self.calls.append("run")

    def answer(self, answer: Answer) -> None:
        self.calls.append("answer")


def message(offset: int, topic: str = "in", partition: int = 0) -> Message:
    return Message(topic, partition, offset, 0, "p", b"")


def move(host: Notebook, *items: Input, effects: tuple[Effect, ...] = ()) -> None:
    advance(Counter(*effects), [(UNIT, item) for item in items], READ, host, {})


def test_an_input_moves_the_state_and_is_covered_from_then_on() -> None:
    host = Notebook()
    move(host, message(0))
    move(host, message(0))
    assert host.stored[UNIT] == Held(1, {"in/0": 1})
    assert host.calls.count("save") == 1


def test_offsets_are_covered_per_topic_and_partition() -> None:
    host = Notebook()
    move(host, message(5), message(5, topic="other"), message(5, partition=1), message(4), message(6))
    assert host.stored[UNIT].state == 4
    assert host.stored[UNIT].covered == {"in/0": 7, "other/0": 6, "in/1": 6}


class Forgetful(Counter):
    """Whatever it is told, it is as it began."""

    def handle(self, state: int, item: Input, read: Read) -> Step[int]:
        return Step(state, self.effects)


def test_a_unit_that_is_as_it_began_is_not_saved_where_others_keep_the_offsets_and_its_appends_are_made() -> None:
    host, core = Notebook(), Forgetful(Append("out", UNIT, b""))
    for item in (message(0, topic="theirs"), Request("r", "ask", b"", 0)):
        said = advance(core, [(UNIT, item)], READ, host, {})
        assert not said.moved
    assert host.stored == {}
    assert host.calls == ["begin", "append", "cover {}", "commit"] * 2


@pytest.mark.parametrize(
    ("item", "effects"), [(message(0), ()), (message(0, topic="theirs"), (Wake("w", 5),))], ids=["own topic", "timer"]
)
def test_what_tells_an_order_or_a_time_is_saved_though_the_state_is_as_it_began(
    item: Message, effects: tuple[Effect, ...]
) -> None:
    host = Notebook()
    advance(Forgetful(*effects), [(UNIT, item)], READ, host, {})
    assert UNIT in host.stored


def test_a_unit_that_was_saved_once_is_saved_again_though_it_came_back_to_its_beginning() -> None:
    class Toggling(Counter):
        def handle(self, state: int, item: Input, read: Read) -> Step[int]:
            return Step(1 - state)

    host = Notebook()
    for offset in range(2):
        advance(Toggling(), [(UNIT, message(offset, topic="theirs"))], READ, host, {})
    assert host.stored[UNIT] == Held(0, {"theirs/0": 2})


def test_several_inputs_are_one_unit_of_work() -> None:
    host = Notebook()
    move(host, message(0), message(1), message(2), effects=(Append("out", UNIT, b""),))
    assert host.calls == ["begin", "append", "append", "append", "save", "cover {}", "commit"]


def test_runs_and_answers_wait_for_the_commit() -> None:
    host = Notebook()
    move(host, message(0), effects=(Answer("r", 200, b""), Run("j", 0, b""), Append("out", UNIT, b"")))
    assert host.calls == ["begin", "append", "save", "cover {}", "commit", "answer", "run"]


def test_nothing_new_opens_no_unit_of_work() -> None:
    host = Notebook({UNIT: Held(3, {"in/0": 9})})
    move(host, message(8))
    assert host.calls == []


def test_positions_move_even_if_everything_was_covered() -> None:
    host = Notebook({UNIT: Held(3, {"in/0": 9})})
    advance(Counter(), [(UNIT, message(8))], READ, host, {("in", 0): 9})
    assert "cover {('in', 0): 9}" in host.calls


@pytest.mark.parametrize("fails_at", [0, 1, 2])
def test_a_failure_between_appends_leaves_the_state_as_it_was(fails_at: int) -> None:
    host = Notebook(fails_at=fails_at)
    effects = (Append("out", UNIT, b""),) * 3 + (Run("j", 0, b""),)
    with pytest.raises(ConnectionError):
        move(host, message(0), effects=effects)
    assert host.stored == {}
    assert "run" not in host.calls
    host.fails_at = -1
    move(host, message(0), effects=effects)
    assert host.stored[UNIT].state == 1


def test_a_tick_is_handled_only_while_its_timer_is_due() -> None:
    host = Notebook({UNIT: Held(0, {}, {"a": 100, "b": 300})})
    for tick in (Tick("unknown", 200), Tick("b", 200), Tick("a", 200), Tick("a", 200)):
        move(host, tick)
    assert host.stored[UNIT] == Held(1, {}, {"b": 300})


def test_a_tick_may_ask_for_the_next() -> None:
    host = Notebook({UNIT: Held(0, {}, {"a": 100})})
    move(host, Tick("a", 100), effects=(Wake("a", 200),))
    assert host.stored[UNIT].timers == {"a": 200}


def test_lanes_of_a_pipeline_take_different_partitions() -> None:
    assert len({partition_of("p", lane, 8) for lane in range(8)}) == 8
    assert partition_of("p", None, 8) == partition_of("p", 0, 8)


def test_partitions_never_change() -> None:
    """Fixed for ever: another value would tear every running pipeline's order apart."""
    assert [partition_of(name, 0, 12) for name in ("electricity", "p", "")] == PINNED


PINNED = [9, 1, 0]


def test_an_append_says_which_inputs_its_writer_knew() -> None:
    host = Notebook()
    said = advance(Counter(Append("out", UNIT, b"")), [(UNIT, message(4)), (UNIT, message(7, "other"))], READ, host, {})
    assert [effect.headers for effect in said.effects if isinstance(effect, Append)] == [
        {WRITER: Counter.name, COVERED: "in/0=5"},
        {WRITER: Counter.name, COVERED: "in/0=5 other/0=8"},
    ]


def test_an_append_of_a_timer_says_which_one_and_when() -> None:
    host = Notebook({UNIT: Held(0, {}, {"a": 100})})
    said = advance(Counter(Append("out", UNIT, b"")), [(UNIT, Tick("a", 120))], READ, host, {})
    assert [effect.headers[TICKED] for effect in said.effects if isinstance(effect, Append)] == ["a@120"]
