"""Topics of a log, read by people: in order, each message once, up to where it ended when the reading began."""

from __future__ import annotations

from collections.abc import Iterator

from shared.runtime.core import Message
from shared.runtime.partitions import partition_of
from shared.runtime.ports import Log

BATCH = 500


class Tail:
    """One partition from an offset on (by default from its start), each message once."""

    def __init__(self, log: Log, topic: str, partition: int = 0, since: int | None = None) -> None:
        self._log = log
        self._place = (topic, partition)
        self._next = log.start_offset(topic, partition) if since is None else since

    def fresh(self) -> Iterator[Message]:
        """What has come since the last call."""
        while messages := self._log.read(*self._place, self._next, BATCH):
            self._next = messages[-1].offset + 1
            yield from messages


def whole(log: Log, topic: str) -> Iterator[Message]:
    """All partitions, one after the other."""
    for partition in range(log.partitions(topic)):
        yield from _up_to_end(log, topic, partition)


def of_pipeline(log: Log, topic: str, pipeline: str) -> Iterator[Message]:
    """A pipeline's messages of a topic that isn't split by lane, in their order."""
    partition = partition_of(pipeline, None, log.partitions(topic))
    return (message for message in _up_to_end(log, topic, partition) if message.key == pipeline)


def _up_to_end(log: Log, topic: str, partition: int) -> Iterator[Message]:
    """A topic that is written to faster than it is read has an end nevertheless."""
    end = log.end_offset(topic, partition)
    for message in Tail(log, topic, partition).fresh():
        if message.offset >= end:
            return
        yield message
