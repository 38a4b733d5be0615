"""`MemoryLog`: topics of partitions, appended to and read from in a few microseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from shared.adapters.memory.partition import Partition, TopicSettings
from shared.adapters.memory.transactions import Coordinator, MemoryProducer
from shared.runtime.core import Message
from shared.runtime.ports import Addressed, LogError, MessageTooLarge


class UnknownTopic(LogError):
    """Topics are declared, never created by a typing mistake."""


class Declared(Protocol):
    """What a topic's declaration (`shared.events.topics.Topic`) tells the log."""

    @property
    def name(self) -> str: ...
    @property
    def retention(self) -> int: ...
    @property
    def compacted(self) -> bool: ...
    @property
    def max_message_bytes(self) -> int: ...


class MemoryLog:
    """The `Log` port in one process. ``clock`` gives the append time in milliseconds."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._topics: dict[str, list[Partition]] = {}
        self._settings: dict[str, TopicSettings] = {}
        self.coordinator = Coordinator(self)

    @classmethod
    def of(cls, topics: Iterable[Declared], clock: Callable[[], int], partitions: int = 1) -> MemoryLog:
        """A log with these topics, all of the same partition count."""
        log = cls(clock)
        for topic in topics:
            settings = TopicSettings(
                partitions, topic.compacted, topic.retention, max_message_bytes=topic.max_message_bytes
            )
            log.create(topic.name, settings)
        return log

    def create(self, topic: str, settings: TopicSettings) -> None:
        """Declares a topic; declaring the same again changes nothing."""
        if self._settings.setdefault(topic, settings) != settings:
            raise LogError(f"topic {topic!r} exists as {self._settings[topic]}, not {settings}; use another name")
        self._topics.setdefault(topic, [Partition() for _ in range(settings.partitions)])

    def now(self) -> int:
        return self._clock()

    def topics(self) -> tuple[str, ...]:
        return tuple(self._topics)

    def partitions(self, topic: str) -> int:
        return len(self._topic(topic))

    def append(self, topic: str, partition: int, key: str, value: bytes, headers: Mapping[str, str]) -> int:
        place, message = self.stamped(topic, partition, key, value, headers)
        place.append(message)
        return message.offset

    def append_all(self, entries: Sequence[Addressed]) -> list[int]:
        return [self.append(*entry) for entry in entries]

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Message]:
        place = self.at(topic, partition)
        return place.read(offset, limit)

    def read_uncommitted(self, topic: str, partition: int, offset: int, limit: int) -> list[Message]:
        """What a reader gets that asks for undecided and aborted messages too. No host does; tests do."""
        return self.at(topic, partition).read_uncommitted(offset, limit)

    def start_offset(self, topic: str, partition: int) -> int:
        return self.at(topic, partition).start

    def end_offset(self, topic: str, partition: int) -> int:
        return self.at(topic, partition).stable

    def settled(self, topic: str, partition: int) -> bool:
        place = self.at(topic, partition)
        return place.stable == place.end

    def producer(self, name: str) -> MemoryProducer:
        return self.coordinator.producer(name)

    def clean(self) -> None:
        """Compaction and retention, which a broker does in the background: here, when the owner says so."""
        for topic, partitions in self._topics.items():
            for partition in partitions:
                partition.clean(self._settings[topic], self.now())

    def stamped(
        self, topic: str, partition: int, key: str, value: bytes, headers: Mapping[str, str]
    ) -> tuple[Partition, Message]:
        """The partition, and the message as it'll stand at its end."""
        place = self.at(topic, partition)
        limit = self._settings[topic].max_message_bytes
        if len(value) > limit:
            raise MessageTooLarge(
                f"message of {len(value)} bytes for {topic!r}, which takes {limit}: send less at once"
            )
        return place, Message(topic, partition, place.end, self._clock(), key, value, headers)

    def at(self, topic: str, partition: int) -> Partition:
        try:
            return self._topics[topic][partition]
        except (KeyError, IndexError):
            known = f"it has {len(self._topics[topic])}" if topic in self._topics else "declare the topic first"
            raise UnknownTopic(f"no partition {partition} of topic {topic!r}: {known}") from None

    def _topic(self, topic: str) -> list[Partition]:
        self.at(topic, 0)
        return self._topics[topic]
