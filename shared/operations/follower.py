"""`Follower`: all of a compacted topic, from its start and for ever, for those who only want to know how things are."""

from __future__ import annotations

from collections.abc import Callable

from shared.runtime.core import Message
from shared.runtime.ports import Log, Place

BATCH = 256


class Follower:
    """Hands every message to ``tell``, in order within a partition."""

    def __init__(self, log: Log, topic: str, tell: Callable[[Message], None]) -> None:
        self._log = log
        self._topic = topic
        self._tell = tell
        self._positions: dict[Place, int] = {}

    def open(self) -> None:
        """From the start, after which everything said so far has been told."""
        for partition in range(self._log.partitions(self._topic)):
            self._positions[self._topic, partition] = self._log.start_offset(self._topic, partition)
        while self.turn():
            pass

    def turn(self) -> bool:
        """Whether there was anything new."""
        return any(self._take(place) for place in tuple(self._positions))

    def _take(self, place: Place) -> bool:
        messages = self._log.read(*place, self._positions[place], BATCH)
        for message in messages:
            self._tell(message)
        if messages:
            self._positions[place] = messages[-1].offset + 1
        return bool(messages)
