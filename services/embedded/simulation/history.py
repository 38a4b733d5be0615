"""`History`: what a run did and what stands in the log, for checkers and for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from shared.adapters.memory import MemoryBlobs, MemoryLog
from shared.runtime.core import Message
from shared.runtime.ports import Place


@dataclass(frozen=True, slots=True)
class Line:
    """One effect or decision. ``fault`` is empty where it simply happened."""

    step: int
    time: int
    actor: str
    what: str
    fault: str = ""

    def __str__(self) -> str:
        return f"{self.step:5} {self.time:8}ms  {self.actor:<16} {self.what}{' !' + self.fault if self.fault else ''}"


@dataclass(slots=True)
class History:
    """``log`` and ``blobs`` are the truth, as a committed reader sees it, not through a process's faulty connection."""

    log: MemoryLog
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    lines: list[Line] = field(default_factory=list)
    quiet: bool = False
    resets: list[tuple[str, Place, int]] = field(default_factory=list)
    """Groups that were set back on purpose: (group, place, offset)."""

    def offsets(self) -> Mapping[tuple[str, Place], int]:
        """(group, place) -> committed offset."""
        return self.log.coordinator.committed

    def messages(self, topic: str) -> Iterator[Message]:
        """All visible messages of a topic, partition by partition."""
        for partition in range(self.log.partitions(topic)):
            yield from self.after(topic, partition, self.log.start_offset(topic, partition))

    def after(self, topic: str, partition: int, offset: int) -> Iterator[Message]:
        """Visible messages from an offset on."""
        while found := self.log.read(topic, partition, offset, 256):
            yield from found
            offset = found[-1].offset + 1

    def digest(self) -> str:
        """Equal for two runs that did the same things in the same order and left the same log."""
        content = sha256()
        for line in self.lines:
            content.update(str(line).encode())
        for topic in self.log.topics():
            for message in self.messages(topic):
                content.update(repr(message).encode())
        return content.hexdigest()


class Unread:
    """A checker's place in a topic: yields each visible message once."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._next: dict[int, int] = {}

    def __call__(self, history: History) -> Iterator[Message]:
        for partition in range(history.log.partitions(self._topic)):
            first, end = self._next.get(partition, 0), history.log.end_offset(self._topic, partition)
            if first < end:
                self._next[partition] = end
                yield from history.after(self._topic, partition, first)
