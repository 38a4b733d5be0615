"""The two places where states are kept: in the process alone, or in the log beside the messages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from shared.runtime.advance import Held, Work
from shared.runtime.aside import check_size
from shared.runtime.codec import decode, encode
from shared.runtime.core import Answer, Append, Core, Run, Unit
from shared.runtime.partitions import LANE, partition_of
from shared.runtime.ports import Addressed, Groups, Log, Place, Unsettled

Start = Callable[[Run], None]
Reply = Callable[[Answer], None]

LARGEST_STATE = 16 << 20
"""Bytes of a stored state; its topic is declared to take as many."""

_log = logging.getLogger(__name__)


def addressed(log: Log, effect: Append) -> Addressed:
    """An append with its partition, and with the lane in its headers."""
    pipeline, lane = effect.unit.pipeline, effect.unit.lane
    partition = partition_of(pipeline, lane, log.partitions(effect.topic))
    headers = effect.headers if lane is None else {**effect.headers, LANE: str(lane)}
    return Addressed(effect.topic, partition, pipeline, effect.value, headers)


def append_to(log: Log, effect: Append) -> int:
    """Appends, visible at once; returns the offset."""
    to = addressed(log, effect)
    return log.append(to.topic, to.partition, to.key, to.value, to.headers)


class ProcessHost:
    """States live and die with the process, decoded; appends are visible at once, states after them. The fast path.

    For one process alone, and for a service whose states can be read again from its topics at every start.
    """

    def __init__(self, core: Core[Any], log: Log, start: Start, answer: Reply) -> None:
        self._core = core
        self._log = log
        self._held: dict[Unit, Held[Any]] = {}
        self._work = _Direct(log, self._held)
        self.start = start
        self.answer = answer

    def open(self, topics: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(range(self._log.partitions(topics[0]))) if topics else ()

    def current(self) -> bool:
        return True

    def units(self) -> tuple[Unit, ...]:
        return tuple(self._held)

    def position(self, topic: str, partition: int) -> int:
        return self._log.start_offset(topic, partition)

    def held(self, unit: Unit) -> Held[Any] | None:
        return self._held.get(unit)

    def work(self) -> _Direct:
        return self._work


class _Direct:
    """A unit of work without a store: a process that dies takes its states with it."""

    def __init__(self, log: Log, held: dict[Unit, Held[Any]]) -> None:
        self._log = log
        self._held = held
        self._appends: list[Addressed] = []
        self._saved: list[tuple[Unit, Held[Any]]] = []

    def __enter__(self) -> _Direct:
        self._appends.clear()
        self._saved.clear()
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is None:
            self._log.append_all(self._appends)
            self._held.update(self._saved)

    def append(self, effect: Append) -> None:
        self._appends.append(addressed(self._log, effect))

    def save(self, unit: Unit, held: Held[Any]) -> None:
        self._saved.append((unit, held))

    def cover(self, positions: Mapping[Place, int]) -> None:
        """Nothing outlives the process."""


def read_on(topic: str, partition: int, stored: int | None, first: int) -> int:
    """Where to read on: at the stored position, or at the first message that is still there."""
    if stored is not None and stored < first:
        _log.error("%s/%d: retention deleted offsets %d to %d unread", topic, partition, stored, first)
    return max(first, stored or 0)


def snapshots_of(core: Core[Any]) -> str:
    """The compacted topic that keeps a core's states: key = unit, value = `Held`, partitioned like its inputs."""
    return f"snapshots.{core.name}"


class LogHost:
    """States and offsets are kept in the log, saved in one transaction that the group's generation fences.

    ``atomic``: the appends are part of that transaction too. ``member`` is one incarnation of a process and must
    never be used twice; ``transactional`` is a producer name: one that stays over restarts fences the last
    incarnation at once, a new one leaves that to the group's generation and the transaction time-out.
    """

    def __init__(
        self,
        core: Core[Any],
        log: Log,
        groups: Groups,
        *,
        member: str,
        transactional: str,
        start: Start,
        answer: Reply,
        atomic: bool,
    ) -> None:
        self._core = core
        self._log = log
        self._groups = groups
        self._member = member
        self._transactional = transactional
        self._atomic = atomic
        self._snapshots = snapshots_of(core)
        self._kind = cast(Any, Held)[core.state_type]
        self._held: dict[Unit, Held[Any]] = {}
        self.start = start
        self.answer = answer

    def open(self, topics: tuple[str, ...]) -> tuple[int, ...]:
        """Raises `Unsettled` while another's open transaction hides stored states: try again later.

        The producer comes first. Until the old incarnation is fenced, it could still save behind what is read here.
        """
        self._producer = self._log.producer(self._transactional)
        self._membership = self._groups.join(self._core.name, self._member, topics)
        self._held = {}
        for partition in self._membership.partitions:
            self._load(partition)
        return self._membership.partitions

    def current(self) -> bool:
        return self._groups.current(self._membership)

    def units(self) -> tuple[Unit, ...]:
        return tuple(self._held)

    def position(self, topic: str, partition: int) -> int:
        committed = self._groups.committed(self._core.name, topic, partition)
        return read_on(topic, partition, committed, self._log.start_offset(topic, partition))

    def held(self, unit: Unit) -> Held[Any] | None:
        return self._held.get(unit)

    @contextmanager
    def work(self) -> Iterator[Work]:
        """Nothing is written before it is known that the states fit. Failing after that leaves the producer as it is:
        only a new one (`open`) may go on."""
        work = _Collected()
        yield work
        states = [self._stored(unit, held) for unit, held in work.saved.items()]
        if self._atomic:
            self._producer.begin()
        for effect in work.appends:
            self.write(effect)
        if not self._atomic:
            self._producer.begin()
        for state in states:
            self._producer.append(*state)
        self._producer.cover(self._membership, work.positions)
        self._producer.commit()
        self._held.update(work.saved)

    def write(self, effect: Append) -> None:
        """One append: inside the transaction, or visible at once."""
        if not self._atomic:
            append_to(self._log, effect)
            return
        to = addressed(self._log, effect)
        self._producer.append(to.topic, to.partition, to.key, to.value, to.headers)

    def _stored(self, unit: Unit, held: Held[Any]) -> Addressed:
        partition = partition_of(unit.pipeline, unit.lane, self._log.partitions(self._snapshots))
        key = unit.pipeline if unit.lane is None else f"{unit.pipeline}/{unit.lane}"
        value = encode(held, self._kind)
        check_size(self._snapshots, value, LARGEST_STATE)
        return Addressed(self._snapshots, partition, key, value, {})

    def _load(self, partition: int) -> None:
        if not self._log.settled(self._snapshots, partition):
            raise Unsettled(f"{self._snapshots}/{partition} holds undecided states behind an open transaction")
        offset = self._log.start_offset(self._snapshots, partition)
        while messages := self._log.read(self._snapshots, partition, offset, 1000):
            for message in messages:
                self._held[_unit(message.key)] = decode(self._kind, message.value)
            offset = messages[-1].offset + 1


class _Collected:
    """All of it waits until all of it is there."""

    def __init__(self) -> None:
        self.appends: list[Append] = []
        self.append = self.appends.append
        self.saved: dict[Unit, Held[Any]] = {}
        self.positions: Mapping[Place, int] = {}

    def save(self, unit: Unit, held: Held[Any]) -> None:
        self.saved[unit] = held

    def cover(self, positions: Mapping[Place, int]) -> None:
        self.positions = positions


def _unit(key: str) -> Unit:
    pipeline, slash, lane = key.partition("/")
    return Unit(pipeline, int(lane) if slash else None)
