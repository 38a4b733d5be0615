"""What processes see instead of the log, the groups and the blobs: every effect goes over a wire that may fail.

| fault | what happens | what the process sees |
|---|---|---|
| crash-before, crash-after | nothing; the effect | its end |
| lost, unacknowledged | nothing; the effect | `Indefinite` |
| delayed | the effect, at some later time | `Indefinite` |
| repeated | the effect, twice | success |
| slow | others go on, then the effect | success |
| paused | others go on, its session expires, then the effect | success, or a fence |
| replaced | a new incarnation starts, then the effect | success, or a fence |
| rewound | somebody sets the group back: messages come again | older offsets |
| again | nothing | messages that it has read before, once more |
| stalled | a job stops, its process is given up, leases end, others go on; then the job runs | success, or a fence |
| unaware | nothing | an outdated "you're still a member" |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from shared.adapters.memory.transactions import Incarnation
from shared.runtime.core import Message
from shared.runtime.ports import Addressed, Indefinite, Membership, Place

if TYPE_CHECKING:
    from services.embedded.simulation.process import Process
    from services.embedded.simulation.world import World

Result = TypeVar("Result")

WRITING = ("crash-before", "crash-after", "lost", "unacknowledged", "delayed", "slow", "paused", "replaced")
REPEATABLE = (*WRITING, "repeated")
"""Requests that carry a sequence number, or that end something: a network may deliver them twice."""
READING = ("crash-before", "lost", "slow", "paused", "replaced")
HANG = 14
"""Turns that others get while a process hangs: enough to notice, to take over and to go on."""
STALL, STALLED_TURNS = 90_000, 150
"""A stalled job: milliseconds past every lease, and turns in which another process can take over and finish."""


class Crash(BaseException):
    """The process ends here. No ``except Exception`` may survive it."""


class Wire:
    """One process's connection to everything outside itself."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = world
        self._process = process

    def call(self, label: str, kinds: Sequence[str], effect: Callable[[], Result]) -> Result:
        """Performs the effect, or lets the tape spoil it."""
        fault = self.world.tape.fault(kinds)
        self.world.note(self._process.name, label, fault)
        if fault in {"slow", "paused", "replaced"}:
            self._hang(fault)
        elif fault:
            self._spoil(label, fault, effect)
        return effect()

    def note(self, label: str, kinds: Sequence[str]) -> str:
        """A fault that only the caller can carry out."""
        fault = self.world.tape.fault(kinds)
        if fault:
            self.world.note(self._process.name, label, fault)
        return fault

    def stall(self, label: str) -> None:
        """A job that stops for longer than any lease, while its process is given up: it ends as a zombie."""
        if self.world.stalls_now():
            self.world.note(self._process.name, label, "stalled")
            self.world.expire(self._process)
            self.world.time += STALL
            self.world.let_others_run(STALLED_TURNS)

    def _spoil(self, label: str, fault: str, effect: Callable[[], object]) -> None:
        if fault in {"crash-after", "unacknowledged", "repeated"}:
            effect()
        if fault.startswith("crash"):
            raise Crash
        if fault == "delayed":
            self.world.delay(f"{self._process.name} {label}", effect)
        if fault != "repeated":
            raise Indefinite(f"{label}: no answer in time")

    def _hang(self, fault: str) -> None:
        if fault == "paused":
            self.world.expire(self._process)
        elif fault == "replaced":
            self.world.replace(self._process)
        self.world.let_others_run(HANG)


class FaultyProducer:
    """A transactional producer; sequence numbers are given when a request is made, so its copies carry the same."""

    def __init__(self, wire: Wire, who: Incarnation) -> None:
        self._wire = wire
        self._who = who
        self._sequence = 0
        self._coordinator = wire.world.log.coordinator

    def begin(self) -> None:
        self._coordinator.begin(self._who)

    def append(self, topic: str, partition: int, key: str, value: bytes, headers: Mapping[str, str]) -> None:
        self._sequence += 1
        place = (topic, partition)
        request = partial(
            self._coordinator.append, self._who, self._sequence, place, key=key, value=value, headers=headers
        )
        self._wire.call(f"send {topic}/{partition} {key}", REPEATABLE, request)

    def cover(self, membership: Membership, offsets: Mapping[Place, int]) -> None:
        label = "cover " + " ".join(f"{topic}/{partition}@{at}" for (topic, partition), at in offsets.items())
        self._wire.call(label, WRITING, partial(self._coordinator.cover, self._who, membership, offsets))

    def commit(self) -> None:
        self._wire.call("commit", WRITING, partial(self._coordinator.end, self._who, commit=True))

    def abort(self) -> None:
        self._wire.call("abort", WRITING, partial(self._coordinator.end, self._who, commit=False))


class FaultyLog:
    """The `Log` port over a wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._log = wire.world.log
        self.now = self._log.now
        self.partitions = self._log.partitions
        self.start_offset = self._log.start_offset
        self.end_offset = self._log.end_offset
        self.settled = self._log.settled

    def append(self, topic: str, partition: int, key: str, value: bytes, headers: Mapping[str, str]) -> int:
        request = partial(self._log.append, topic, partition, key, value, headers)
        return self._wire.call(f"append {topic}/{partition} {key}", WRITING, request)

    def append_all(self, entries: Sequence[Addressed]) -> list[int]:
        return [self.append(*entry) for entry in entries]

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Message]:
        if not self._log.read(topic, partition, offset, 1):
            return []
        if self._wire.note(f"read {topic}/{partition}@{offset}", ("again",)):
            offset, limit = max(self._log.start_offset(topic, partition), offset - 2), limit + 2
        request = partial(self._log.read, topic, partition, offset, limit)
        return self._wire.call(f"read {topic}/{partition}@{offset}", READING, request)

    def producer(self, name: str) -> FaultyProducer:
        request = partial(self._log.coordinator.producer, name)
        return FaultyProducer(self._wire, self._wire.call(f"init {name}", WRITING, request).who)


class FaultyGroups:
    """The `Groups` port over a wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._groups = wire.world.groups
        self.leave = self._groups.leave

    def join(self, group: str, member: str, topics: tuple[str, ...]) -> Membership:
        return self._wire.call("join", READING, partial(self._groups.join, group, member, topics))

    def current(self, membership: Membership) -> bool:
        if self._groups.current(membership):
            return True
        return bool(self._wire.note("rebalance", ("unaware",)))

    def committed(self, group: str, topic: str, partition: int) -> int | None:
        stored = self._wire.call(
            f"stored {topic}/{partition}", READING, partial(self._groups.committed, group, topic, partition)
        )
        if stored is not None and self._wire.note("stored", ("rewound",)):
            return self._wire.world.rewind(group, (topic, partition))
        return stored

    def commit(self, membership: Membership, offsets: Mapping[Place, int]) -> None:
        self._wire.call("commit offsets", WRITING, partial(self._groups.commit, membership, offsets))


class FaultyBlobs:
    """The `Blobs` port over a wire. A store that was acknowledged is durable: files are tested on their own."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._blobs = wire.world.blobs
        self.contains = self._blobs.contains

    def put(self, data: bytes) -> str:
        return self._wire.call("store blob", WRITING, partial(self._blobs.put, data))

    def get(self, digest: str) -> bytes:
        return self._wire.call("fetch blob", READING, partial(self._blobs.get, digest))
