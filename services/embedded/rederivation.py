"""A recorded run, decided again: each core is handed what it read, in the order in which it read it, and has to say
what it said.

The order comes from the record itself: every append names the offsets that its writer covered (`shared.runtime.
advance`).  Of the inputs before it that led to no append the record tells that they came, not in which order; they go
in by append time, and where that doesn't fit, topic by topic.
A process that dies between an append and its state leaves a branch: what it said stands, and its successor goes on
from the state before.  So a turn that doesn't follow from the latest state may follow from one of those before it.
Results of jobs are inputs here: that a training can be repeated is `reproduce`'s claim, not this one's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

from shared.events.data import message_id
from shared.events.training import JobClaimed
from shared.runtime.advance import COVERED, TICKED, WRITER, Held
from shared.runtime.core import Append, Core, Input, Message, Read, Tick, Unit
from shared.runtime.partitions import LANE
from shared.runtime.ports import Log
from shared.runtime.worker import unit_of

BRANCHES = 16
"""States to go on from: as many turns, at most, that one death makes a process repeat in another order."""

Offsets = Mapping[str, int]
Name = tuple[str, str, bytes]
"""(topic, id, content): what has to be the same."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that was said and is not said again, or the other way round."""

    core: str
    unit: Unit
    what: str


@dataclass(frozen=True, slots=True)
class Rederived:
    """``compared``: how many appends of each core were said again alike."""

    compared: Mapping[str, int]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class _Turn:
    """One input that led to appends, as recorded: what was covered after it, and what was said."""

    covered: Offsets
    ticked: str
    cause: str
    said: list[Message] = field(default_factory=list)


def rederive(
    log: Log, cores: Sequence[Core[Any]], topics: Iterable[str], lane_topics: frozenset[str], read: Read
) -> Rederived:
    """Compares everything that these cores said in the log with what they say now."""
    record = {topic: list(_messages(log, topic)) for topic in topics}
    compared: dict[str, int] = {}
    differences: list[Difference] = []
    for core in cores:
        compared[core.name] = 0
        for unit, turns in _turns(core, record).items():
            inputs = _inputs(core, unit, record, lane_topics)
            alike, different = _again(core, unit, turns, inputs, read)
            compared[core.name] += alike
            differences += different
    return Rederived(compared, tuple(differences))


def _messages(log: Log, topic: str) -> Iterator[Message]:
    for partition in range(log.partitions(topic)):
        offset = log.start_offset(topic, partition)
        while found := log.read(topic, partition, offset, 1000):
            yield from found
            offset = found[-1].offset + 1


def _turns(core: Core[Any], record: Mapping[str, list[Message]]) -> dict[Unit, list[_Turn]]:
    """Per unit, in the order of what was covered. What a crash made a core say twice is one turn."""
    found: dict[Unit, dict[str, _Turn]] = defaultdict(dict)
    said: set[tuple[str, str]] = set()
    written = (m for messages in record.values() for m in messages if m.headers.get(WRITER) == core.name)
    for message in sorted(written, key=lambda m: sum(_offsets(m).values())):
        name = (message.topic, message.headers.get("ce_id", ""))
        if name in said:
            continue
        said.add(name)
        unit = Unit(message.key, int(message.headers.get(LANE, 0)) if core.per_lane else None)
        ticked = message.headers.get(TICKED, "")
        cause = message.headers.get("ce_causationid", "")
        turn = found[unit].setdefault(f"{message.headers[COVERED]} {ticked}", _Turn(_offsets(message), ticked, cause))
        turn.said.append(message)
    return {unit: list(turns.values()) for unit, turns in found.items()}


def _offsets(message: Message) -> Offsets:
    pairs = (pair.rpartition("=") for pair in message.headers[COVERED].split())
    return {place: int(offset) for place, _, offset in pairs}


def _inputs(
    core: Core[Any], unit: Unit, record: Mapping[str, list[Message]], lane_topics: frozenset[str]
) -> list[Message]:
    """What the unit could read, by append time."""
    for_all = {topic for topic in core.reads if core.per_lane and topic not in lane_topics}
    mine = (
        message
        for topic in core.reads
        for message in record[topic]
        if (message.key == unit.pipeline if topic in for_all else unit_of(core, message) == unit)
    )
    return sorted(mine, key=lambda message: message.timestamp)


def _again(
    core: Core[Any], unit: Unit, turns: Sequence[_Turn], inputs: list[Message], read: Read
) -> tuple[int, list[Difference]]:
    states: list[Held[Any]] = [Held(core.initial(unit))]
    alike, differences, before = 0, list[Difference](), set[Name]()
    recorded = {_name_of(message) for turn in turns for message in turn.said}
    for turn in turns:
        held, said = _fitting(core, turn, states, inputs, read, before)
        states = [*states, held][-BRANCHES:]
        before.update(map(_name_of, turn.said))
        missing = [message for message in turn.said if _name_of(message) not in said]
        alike += len(turn.said) - len(missing)
        differences += (Difference(core.name, unit, f"is not said again: {_words(m)}") for m in missing)
        # What was said before under the same id is one fact; saying it again is allowed to every core.
        extra = [append for name, append in said.items() if name not in recorded]
        differences += (Difference(core.name, unit, f"was not said before: {_kind(append)}") for append in extra)
    return alike, differences


Found = tuple[Held[Any], dict[Name, Append]]
"""The state after a turn, and what was said in it."""


def _fitting(
    core: Core[Any], turn: _Turn, states: Sequence[Held[Any]], inputs: list[Message], read: Read, before: set[Name]
) -> Found:
    """From the latest state and in the first order in which just this is said; else with what had been said before;
    else in the first order of all."""
    wanted = {_name_of(message) for message in turn.said}
    again: Found | None = None
    first: Found | None = None
    for held in reversed(states):
        for order in _orders(core, turn, held, inputs):
            found = _folded(core, held, order, read)
            if found[1].keys() == wanted:
                return found
            if again is None and wanted <= found[1].keys() <= wanted | before:
                again = found
            first = first or found
    return again or first or (states[-1], {})


def _folded(core: Core[Any], held: Held[Any], order: Iterable[Input], read: Read) -> Found:
    said: dict[Name, Append] = {}
    for item in order:
        step = core.handle(held.state, item, read)
        held = held.after(item, step)
        said |= {_name(e.topic, e.headers, e.value): e for e in step.effects if isinstance(e, Append)}
    return held, said


def _orders(core: Core[Any], turn: _Turn, held: Held[Any], inputs: list[Message]) -> Iterator[list[Input]]:
    """What was read since the last turn, the cause at the end."""
    read = [m for m in inputs if not held.covers(m) and m.offset < turn.covered.get(f"{m.topic}/{m.partition}", 0)]
    name, _, now = turn.ticked.rpartition("@")
    last: list[Input] = [Tick(name, int(now))] if turn.ticked else [m for m in read if message_id(m) == turn.cause]
    before = [message for message in read if message not in last]
    yield [*before, *last]
    for topics in permutations(core.reads):
        yield [*sorted(before, key=lambda message, topics=topics: topics.index(message.topic)), *last]  # type: ignore[misc]


def _words(message: Message) -> str:
    return f"{message.headers.get('ce_type', '')} at {message.topic}/{message.partition}/{message.offset}"


def _kind(append: Append) -> str:
    return f"{append.headers.get('ce_type', 'a message')} to {append.topic}"


def _name_of(message: Message) -> Name:
    return _name(message.topic, message.headers, message.value)


def _name(topic: str, headers: Mapping[str, str], value: bytes) -> Name:
    """A claim names a process, and processes are not decided."""
    if headers.get("ce_type") == JobClaimed.type:
        claim = JobClaimed.model_validate_json(value)
        return topic, f"{claim.job} {claim.attempt}", b""
    return topic, headers.get("ce_id", ""), value
