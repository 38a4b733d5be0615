"""What hosts need from the outside: a partitioned log with transactions and groups, and a blob store.

Small on purpose: the memory adapter and the Kafka adapter both satisfy it, and one behavioural suite
(``tests/conformance``) says what that means.  Readers see *committed* messages only.  Offsets may have gaps: commit
markers, aborted and compacted messages occupy some, so the next offset is "the last one read, plus one" and never
"the number of messages".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from shared.runtime.core import Message

Place = tuple[str, int]
"""(topic, partition)"""


class LogError(Exception):
    """The log refused, or did not answer. The host throws its producer away and starts again from what is stored."""


class Fenced(LogError):
    """A newer incarnation took over. Nothing that this one still does may become visible."""


class Indefinite(LogError):
    """No answer in time: the effect may or may not have happened, or may still happen.

    Never retried with the same producer: a late copy of the request could end the *next* transaction.
    """


class Unsettled(LogError):
    """An open transaction may still move the offset asked for: ask again when it has ended or timed out."""


class MessageTooLarge(LogError):
    """The topic doesn't take messages of this size; sending it again won't help."""


class OffsetOutOfRange(LogError):
    """The offset asked for has been deleted by retention: data between it and the start offset is gone."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A worker's place in its consumer group. Another ``generation`` exists as soon as anybody joins or leaves."""

    group: str
    member: str
    generation: int
    partitions: tuple[int, ...]
    """Owned partitions, the same numbers in each of the group's topics (range assignment, equal counts)."""


class Addressed(NamedTuple):
    """A message on its way to the log."""

    topic: str
    partition: int
    key: str
    value: bytes
    headers: Mapping[str, str]


class Producer(Protocol):
    """Writes messages that become visible together, with the group's offsets, or not at all.

    One transaction at a time. After any error the instance is of no use: get a new one, which fences this one.
    """

    def begin(self) -> None: ...

    def append(self, topic: str, partition: int, key: str, value: bytes, headers: Mapping[str, str]) -> None: ...

    def cover(self, membership: Membership, offsets: Mapping[Place, int]) -> None:
        """Moves the group's offsets when the transaction commits. Raises `Fenced` on an old generation."""

    def commit(self) -> None: ...

    def abort(self) -> None: ...


class Log(Protocol):
    """Topics of partitions of messages."""

    def now(self) -> int:
        """The log's time in milliseconds: what an append would be stamped with now."""

    def partitions(self, topic: str) -> int: ...

    def append(self, topic: str, partition: int, key: str, value: bytes, headers: Mapping[str, str]) -> int:
        """Writes one message, visible at once, and returns its offset when it is safe."""

    def append_all(self, entries: Sequence[Addressed]) -> Sequence[int]:
        """Writes many, each visible at once, in order within a partition; their offsets, when all are safe.

        Not together: after an error some may be there and others not.
        """

    def read(self, topic: str, partition: int, offset: int, limit: int) -> Sequence[Message]:
        """Up to ``limit`` committed messages at or after ``offset``; none at the end.

        Raises `OffsetOutOfRange` below the start offset.
        """

    def start_offset(self, topic: str, partition: int) -> int: ...

    def end_offset(self, topic: str, partition: int) -> int:
        """Where the next visible message could appear: the last stable offset. Undecided messages lie beyond it."""

    def settled(self, topic: str, partition: int) -> bool:
        """Whether nothing undecided lies beyond the last stable offset: what can be read now is all there is."""

    def producer(self, name: str) -> Producer:
        """A transactional producer; the name's earlier instance is fenced and its open transaction aborted."""


class Groups(Protocol):
    """Who reads which partition, and how far each group has come."""

    def join(self, group: str, member: str, topics: tuple[str, ...]) -> Membership:
        """Takes part in the group, or takes notice of its new generation."""

    def leave(self, membership: Membership) -> None: ...

    def current(self, membership: Membership) -> bool:
        """Whether this generation is the group's latest, as far as the member can know."""

    def committed(self, group: str, topic: str, partition: int) -> int | None:
        """The stored offset, or None where the group has none. Raises `Unsettled` while a transaction may move it."""

    def commit(self, membership: Membership, offsets: Mapping[Place, int]) -> None:
        """Stores offsets outside any transaction. Raises `Fenced` on an old generation."""


class Blobs(Protocol):
    """Immutable bytes, found by the SHA-256 of their content (hexadecimal)."""

    def put(self, data: bytes) -> str:
        """Stores the bytes durably before it returns their digest. Storing them twice is storing them once."""

    def get(self, digest: str) -> bytes:
        """Raises `BlobMissing`, or `BlobDamaged` where the bytes no longer have this digest."""

    def contains(self, digest: str) -> bool: ...


class BlobMissing(LookupError):
    """No blob has this digest."""


class BlobDamaged(ValueError):
    """The stored bytes don't have the digest that they are filed under."""
