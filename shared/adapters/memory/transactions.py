"""Transactions: a coordinator that decides, markers that make decisions visible, epochs that fence old producers.

The commit is acknowledged when it is *decided*; the markers follow partition by partition, so a reader of two
partitions may see half of it for a while.  Normally they follow at once; a simulation sets ``deferred`` and writes
them one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from shared.runtime.ports import Fenced, LogError, Membership, Place

if TYPE_CHECKING:
    from shared.adapters.memory.log import MemoryLog

TIMEOUT = 10_000
"""Milliseconds after which an open transaction of a vanished producer is aborted and the producer fenced."""
REMEMBERED = 5
"""Requests per producer and partition that the broker remembers in order to recognise a repeated one."""

Phase = Literal["empty", "open", "committing", "aborting"]
Offsets = dict[tuple[str, Place], int]


@dataclass(frozen=True, slots=True)
class Incarnation:
    """One producer under a transactional name; a later epoch fences the earlier ones."""

    name: str
    epoch: int


@dataclass(slots=True)
class Transactional:
    """What the coordinator knows about one transactional name."""

    producer: int
    epoch: int = -1
    phase: Phase = "empty"
    began: int = 0
    written: dict[Place, list[int]] = field(default_factory=dict)
    offsets: Offsets = field(default_factory=dict)
    remembered: dict[Place, deque[int]] = field(default_factory=dict)


class Coordinator:
    """All transactions of one log."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._names: dict[str, Transactional] = {}
        self.deferred = False
        self.check_membership: Callable[[Membership], None] = lambda _: None
        """Set by the groups: raises `Fenced` for an old generation."""
        self.committed: Offsets = {}

    def producer(self, name: str) -> MemoryProducer:
        """Fences the name's earlier producer, after aborting what it left open."""
        entry = self._names.setdefault(name, Transactional(len(self._names)))
        if entry.phase == "open":
            entry.phase = "aborting"
        self.settle(name)
        entry.epoch += 1
        entry.remembered.clear()
        return MemoryProducer(self, Incarnation(name, entry.epoch))

    def begin(self, who: Incarnation) -> None:
        entry = self._checked(who)
        # A real client waits here until the markers of its last transaction are written.
        self.settle(who.name)
        if entry.phase != "empty":
            raise LogError(f"producer {who.name!r} has a transaction open; commit or abort it first")
        entry.phase, entry.began = "open", self._log.now()

    def append(
        self, who: Incarnation, sequence: int, place: Place, *, key: str, value: bytes, headers: Mapping[str, str]
    ) -> None:
        """A repeated request (same sequence number) is recognised and written once."""
        entry = self._open(who)
        known = entry.remembered.setdefault(place, deque(maxlen=REMEMBERED))
        if sequence in known:
            return
        known.append(sequence)
        partition, message = self._log.stamped(*place, key, value, headers)
        entry.written.setdefault(place, []).append(message.offset)
        partition.append_undecided(entry.producer, message)

    def cover(self, who: Incarnation, membership: Membership, offsets: Mapping[Place, int]) -> None:
        entry = self._open(who)
        self.check_membership(membership)
        for place, offset in offsets.items():
            entry.offsets[membership.group, place] = offset

    def end(self, who: Incarnation, commit: bool) -> None:
        """Decides. The caller has its answer before any reader can see it."""
        self._open(who)
        self._decide(who.name, "committing" if commit else "aborting")

    def expire(self) -> None:
        """Aborts what was left open for too long; its producer, should it still live, is fenced."""
        for name, entry in self._names.items():
            if entry.phase == "open" and self._log.now() - entry.began > TIMEOUT:
                entry.epoch += 1
                self._decide(name, "aborting")

    def undecided(self, group: str, place: Place) -> bool:
        """Whether an unfinished transaction may still move this offset."""
        return any(entry.phase != "empty" and (group, place) in entry.offsets for entry in self._names.values())

    def unfinished(self) -> tuple[str, ...]:
        """Names whose decision is not written everywhere yet."""
        return tuple(name for name, entry in self._names.items() if entry.phase in {"committing", "aborting"})

    def open(self) -> tuple[str, ...]:
        """Names with a transaction that nobody has ended yet."""
        return tuple(name for name, entry in self._names.items() if entry.phase == "open")

    def settle(self, name: str) -> None:
        """Writes all markers of a decided transaction."""
        while self._names[name].phase in {"committing", "aborting"}:
            self.write_marker(name)

    def write_marker(self, name: str) -> None:
        """One more step of a decided transaction: a partition's marker, at last the group's offsets."""
        entry = self._names[name]
        commit = entry.phase == "committing"
        if entry.written:
            place = next(iter(entry.written))
            self._log.at(*place).decide(entry.producer, commit, entry.written.pop(place))
            return
        if commit:
            self.committed.update(entry.offsets)
        entry.offsets.clear()
        entry.phase = "empty"

    def _decide(self, name: str, phase: Phase) -> None:
        self._names[name].phase = phase
        if not self.deferred:
            self.settle(name)

    def _open(self, who: Incarnation) -> Transactional:
        entry = self._checked(who)
        if entry.phase != "open":
            raise LogError(f"producer {who.name!r} has no transaction open; begin one first")
        return entry

    def _checked(self, who: Incarnation) -> Transactional:
        entry = self._names[who.name]
        if who.epoch != entry.epoch:
            raise Fenced(f"producer {who.name!r} of epoch {who.epoch} was replaced by {entry.epoch}: stop this worker")
        return entry


class MemoryProducer:
    """One incarnation of a transactional name: the `Producer` port."""

    def __init__(self, coordinator: Coordinator, who: Incarnation) -> None:
        self._coordinator = coordinator
        self.who = who
        self._sequence = 0

    def begin(self) -> None:
        self._coordinator.begin(self.who)

    def append(self, topic: str, partition: int, key: str, value: bytes, headers: Mapping[str, str]) -> None:
        self._sequence += 1
        place = (topic, partition)
        self._coordinator.append(self.who, self._sequence, place, key=key, value=value, headers=headers)

    def cover(self, membership: Membership, offsets: Mapping[Place, int]) -> None:
        self._coordinator.cover(self.who, membership, offsets)

    def commit(self) -> None:
        self._coordinator.end(self.who, commit=True)

    def abort(self) -> None:
        self._coordinator.end(self.who, commit=False)
