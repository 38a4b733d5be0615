"""`Cursor`: what has arrived for one place and wasn't read yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from shared.adapters.kafka.headers import from_wire, text
from shared.runtime.core import Message
from shared.runtime.ports import Place


@dataclass(slots=True)
class Cursor:
    """``first`` is the lowest offset that can be served without going back; ``bytes`` are those of ``messages``.

    ``logical_name``: what a topic on the broker is called here.
    """

    place: Place
    first: int
    logical_name: Callable[[str], str]
    messages: deque[Message] = field(default_factory=deque)
    bytes: int = 0
    paused: bool = False

    def arrive(self, records: Iterable[Any]) -> None:
        for record in records:
            if record.offset >= self.first:
                message = message_of(record, self.place, self.logical_name)
                self.messages.append(message)
                self.bytes += _size(message)

    def take(self, offset: int, limit: int) -> list[Message]:
        """What lies before the offset is dropped."""
        found: list[Message] = []
        while self.messages and len(found) < limit:
            message = self.messages.popleft()
            self.bytes -= _size(message)
            if message.offset >= offset:
                found.append(message)
        self.first = found[-1].offset + 1 if found else max(self.first, offset)
        return found


def message_of(record: Any, place: Place, logical_name: Callable[[str], str]) -> Message:
    headers = from_wire(record.headers, logical_name)
    return Message(*place, record.offset, record.timestamp, text(record.key), bytes(record.value or b""), headers)


def _size(message: Message) -> int:
    """Bytes in memory, roughly."""
    return len(message.value) + 64 * (8 + len(message.headers))
