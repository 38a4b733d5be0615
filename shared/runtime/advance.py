"""`advance`: the one function that moves a core, the same lines in every host.

Load the unit's state with the offsets that it covers; skip what they cover; handle; perform the appends; save the
state with its new offsets, as one unit of work.  What a host adds is what "one unit" means:

* *atomic* (validation, prediction): appends, states and offsets become visible together or not at all;
* *step by step* (writers of the ledger): each append is visible at once, then states and offsets are saved together.
  A crash in between repeats the appends: their ids are derived from their causes, and every fold counts an id once.

`Run` and `Answer` come after the save.  Nothing stored depends on them, and both have a remedy when a crash loses
them: a job's lease ends and it's claimed again, a caller asks again under the same id.

Which of several topics a core happened to read first is a choice that depends on timing, and whoever makes such a
choice writes it down: every append names its `WRITER` and, in the header `COVERED`, the offsets that its unit's state
covered then.  A replay that reads in that order has to say the same again.

Of a unit that only was asked, or was handed what somebody else read, and is still as every unit begins, nothing is
saved: strangers make up names without end.  Not so with the core's own topics: that an input came before all others,
and changed nothing then, is part of the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from sys import maxsize
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from shared.runtime.aside import check_size
from shared.runtime.core import Answer, Append, Core, Effect, Input, Message, Read, Run, Step, Tick, Unit, Wake
from shared.runtime.ports import Place

State = TypeVar("State")

NO_LIMITS: Mapping[str, int] = MappingProxyType({})
WRITER = "writer"
"""Header: the core that an append comes from."""
COVERED = "covered"
"""Header: what the writer's state covered, as "topic/partition=offset …"."""
TICKED = "ticked"
"""Header: the timer that led to an append and when it fired, as "name@milliseconds"."""


@dataclass(frozen=True, slots=True)
class Held(Generic[State]):
    """A unit's state, the inputs that it covers, and its timers: stored and loaded as one.

    ``covered`` maps "topic/partition" to the offset after the last message that went into the state; ``timers`` maps
    names to log times (ms).
    """

    state: State
    covered: Mapping[str, int] = field(default_factory=dict)
    timers: Mapping[str, int] = field(default_factory=dict)

    def covers(self, item: Input) -> bool:
        """Whether this input went into the state already. Requests never did: they carry their own ids."""
        if isinstance(item, Message):
            return self.covered.get(f"{item.topic}/{item.partition}", 0) > item.offset
        return isinstance(item, Tick) and self.timers.get(item.name, item.now + 1) > item.now

    def after(self, item: Input, step: Step[State]) -> Held[State]:
        return Held(step.state, _covered(self.covered, item), _timers(self.timers, item, step.effects))


@dataclass(frozen=True, slots=True)
class Advanced:
    """What one unit of work came to."""

    moved: Mapping[Unit, Held[Any]]
    effects: tuple[Effect, ...]


class Work(Protocol):
    """One unit of work, open until its ``with`` block ends."""

    def append(self, effect: Append) -> None: ...

    def save(self, unit: Unit, held: Held[Any]) -> None: ...

    def cover(self, positions: Mapping[Place, int]) -> None:
        """From where to read on after a restart, at the latest; what states cover already is skipped again."""


class Host(Protocol):
    """What surrounds a core: keeps its states and carries out its effects."""

    def held(self, unit: Unit) -> Held[Any] | None:
        """None for a unit that was never saved."""

    def work(self) -> AbstractContextManager[Work]: ...

    def start(self, run: Run) -> None: ...

    def answer(self, answer: Answer) -> None: ...


def advance(
    core: Core[Any],
    inputs: Iterable[tuple[Unit, Input]],
    read: Read,
    host: Host,
    positions: Mapping[Place, int],
    largest: Mapping[str, int] = NO_LIMITS,
) -> Advanced:
    """Moves the core by the inputs, in order, in one unit of work. ``largest``: bytes of a message, by topic.

    A failure leaves the stored states as they were: load again and repeat.
    """
    moved, effects = _fold(core, inputs, read, host)
    appends = [effect for effect in effects if isinstance(effect, Append)]
    for append in appends:
        check_size(append.topic, append.value, largest.get(append.topic, maxsize))
    if moved or positions or appends:
        with host.work() as work:
            for append in appends:
                work.append(append)
            for unit, held in moved.items():
                work.save(unit, held)
            work.cover(positions)
    for effect in effects:
        if isinstance(effect, Run):
            host.start(effect)
        elif isinstance(effect, Answer):
            host.answer(effect)
    return Advanced(moved, tuple(effects))


def _fold(
    core: Core[Any], inputs: Iterable[tuple[Unit, Input]], read: Read, host: Host
) -> tuple[dict[Unit, Held[Any]], list[Effect]]:
    moved: dict[Unit, Held[Any]] = {}
    effects: list[Effect] = []
    for unit, item in inputs:
        stored = moved.get(unit) or host.held(unit)
        held = stored or Held(core.initial(unit))
        if held.covers(item):
            continue
        step = core.handle(held.state, item, read)
        after = held.after(item, step)
        effects += (_signed(effect, core.name, item, after) for effect in step.effects)
        if stored or not _passed_by(core, unit, item, after):
            moved[unit] = after
    return moved, effects


def _passed_by(core: Core[Any], unit: Unit, item: Input, after: Held[Any]) -> bool:
    """Whether a unit of which nothing is known is none the wiser; nobody's order depends on such an input."""
    own = isinstance(item, Message) and item.topic in core.reads
    return not own and not after.timers and bool(after.state == core.initial(unit))


def _signed(effect: Effect, writer: str, item: Input, held: Held[Any]) -> Effect:
    """An append says who wrote it, and what its writer knew."""
    if not isinstance(effect, Append):
        return effect
    covered = " ".join(f"{place}={offset}" for place, offset in held.covered.items())
    signature = {WRITER: writer, COVERED: covered}
    if isinstance(item, Tick):
        signature[TICKED] = f"{item.name}@{item.now}"
    return replace(effect, headers={**effect.headers, **signature})


def _covered(covered: Mapping[str, int], item: Input) -> Mapping[str, int]:
    if isinstance(item, Message):
        return {**covered, f"{item.topic}/{item.partition}": item.offset + 1}
    return covered


def _timers(timers: Mapping[str, int], item: Input, effects: tuple[Effect, ...]) -> Mapping[str, int]:
    wakes = {effect.name: effect.at for effect in effects if isinstance(effect, Wake)}
    if isinstance(item, Tick):
        return {name: at for name, at in timers.items() if name != item.name} | wakes
    return {**timers, **wakes} if wakes else timers
