"""What a job (training, evaluation) may use while it runs. Its results are messages that it appends itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.runtime.core import Append, Message, Read, Run
from shared.runtime.hosts import append_to
from shared.runtime.ports import Blobs, Log


@dataclass(frozen=True, slots=True)
class JobServices:
    """The log, the blobs, and the two things jobs do with them."""

    log: Log
    blobs: Blobs
    read: Read

    def append(self, effect: Append) -> int:
        """Visible at once; returns the offset. Blobs that the message names must be stored before."""
        return append_to(self.log, effect)

    def messages(self, topic: str, partition: int, first: int, last: int) -> Iterator[Message]:
        """Committed messages at offsets [first, last), in order."""
        while found := self.log.read(topic, partition, first, 100):
            yield from (message for message in found if message.offset < last)
            first = found[-1].offset + 1
            if first >= last:
                return


JobRunner = Callable[[Run, JobServices], None]
