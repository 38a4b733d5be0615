"""`Partition`: one ordered sequence of messages with Kafka's rules for what a reader sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.runtime.core import Message
from shared.runtime.ports import OffsetOutOfRange

UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """A topic's contract with the log. Retention is by append time (milliseconds) and by bytes of values."""

    partitions: int = 1
    compacted: bool = False
    retention: int = UNLIMITED
    retention_bytes: int = UNLIMITED
    max_message_bytes: int = 1 << 20


class Partition:
    """Messages at consecutive offsets from ``start``; None where there is nothing for a reader to see.

    That is: commit and abort markers, aborted messages, and messages that compaction removed.
    """

    __slots__ = ("_aborted", "_open", "_records", "start")

    def __init__(self) -> None:
        self.start = 0
        self._records: list[Message | None] = []
        self._open: dict[int, int] = {}
        self._aborted: dict[int, Message] = {}

    @property
    def end(self) -> int:
        """The offset of the next append."""
        return self.start + len(self._records)

    @property
    def stable(self) -> int:
        """Everything below is decided. One open transaction holds back all messages behind it, its own or not."""
        return min(self._open.values()) if self._open else self.end

    def append(self, message: Message) -> None:
        self._records.append(message)

    def append_undecided(self, producer: int, message: Message) -> None:
        self._open.setdefault(producer, message.offset)
        self._records.append(message)

    def decide(self, producer: int, commit: bool, offsets: list[int]) -> None:
        """Ends the producer's transaction here: a marker takes an offset, aborted messages disappear."""
        self._open.pop(producer, None)
        self._records.append(None)
        if commit:
            return
        for offset in offsets:
            index = offset - self.start
            message = self._records[index] if index >= 0 else None
            if message is not None:
                self._aborted[offset] = message
                self._records[index] = None

    def read(self, offset: int, limit: int) -> list[Message]:
        if offset < self.start:
            raise OffsetOutOfRange(f"offset {offset} is gone; the partition starts at {self.start} (retention)")
        first = offset - self.start
        last = self.stable - self.start if self._open else len(self._records)
        if first >= last:
            return []
        found = [record for record in self._records[first : min(last, first + limit)] if record is not None]
        return found or self._after_gap(first + limit, last, limit)

    def read_uncommitted(self, offset: int, limit: int) -> list[Message]:
        """What a reader sees that asks for undecided and aborted messages too."""
        return list(self._uncommitted(max(offset, self.start), limit))

    def _after_gap(self, first: int, last: int, limit: int) -> list[Message]:
        # Within ``limit`` records there was nothing visible: an empty answer would read as "the end".
        while first < last and self._records[first] is None:
            first += 1
        return [r for r in self._records[first : min(last, first + limit)] if r is not None]

    def _uncommitted(self, offset: int, limit: int) -> Iterator[Message]:
        for at in range(offset, self.end):
            message = self._records[at - self.start] or self._aborted.get(at)
            if message is not None and limit > 0:
                limit -= 1
                yield message

    def clean(self, settings: TopicSettings, now: int) -> None:
        """What the broker does in the background: compaction, or retention by time and by bytes."""
        if settings.compacted:
            self._compact()
        if settings.retention != UNLIMITED:
            self._drop_before(self._first_younger(now - settings.retention))
        if settings.retention_bytes != UNLIMITED:
            self._drop_before(self._first_within(settings.retention_bytes))

    def _compact(self) -> None:
        """Keeps the last decided message of each key, at its offset."""
        seen: set[str] = set()
        for index in range(self.stable - self.start - 1, -1, -1):
            message = self._records[index]
            if message is not None and message.key in seen:
                self._records[index] = None
            elif message is not None:
                seen.add(message.key)

    def _first_younger(self, oldest: int) -> int:
        young = (m.offset for m in self._records if m is not None and m.timestamp >= oldest)
        return min(next(young, self.end), self.stable)

    def _first_within(self, budget: int) -> int:
        for index in range(len(self._records) - 1, -1, -1):
            message = self._records[index]
            budget -= len(message.value) if message is not None else 0
            if budget < 0:
                return min(self.start + index + 1, self.stable)
        return self.start

    def _drop_before(self, offset: int) -> None:
        del self._records[: offset - self.start]
        self.start = max(self.start, offset)
        self._aborted = {at: message for at, message in self._aborted.items() if at >= self.start}
