"""All of a compacted topic, from its start and for ever, for those who only want to know how things are."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import Protocol

from shared.operations.lifecycle import SOFTWARE, fail
from shared.operations.loop import Attention, Followed
from shared.runtime.core import Message
from shared.runtime.ports import Log, LogError, Place

BATCH = 256
IDLE = 0.1
PAUSE = 1.0
"""Seconds until a log that failed is asked again."""

_log = logging.getLogger(__name__)


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

    def places(self) -> tuple[Place, ...]:
        return tuple(self._positions)

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


class Owned(Followed, Protocol):
    """A log of one's own."""

    def close(self) -> None: ...


class FollowerThread:
    """A `Door`: the follower on a thread of its own. It owns the log, which no other thread may read.

    ``also`` is done in every turn: first when everything from the start has been told. A log that fails is read on from
    where it was: what is told is how things are, and being told twice changes nothing.
    """

    def __init__(self, follower: Follower, log: Owned, also: Callable[[], object]) -> None:
        self._follower = follower
        self._log = log
        self._also = also
        self._attention = Attention(log)
        self._stopping = Event()
        self._caught_up = Event()
        self._thread = Thread(target=self._run, name="follower", daemon=True)

    def ready(self) -> bool:
        """Whether everything that had been said when it started was told, and done something about once."""
        return self._caught_up.is_set()

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except LogError as error:
                _log.warning("the log did not answer, asks again: %s", error)
                self._stopping.wait(PAUSE)
            except Exception:  # noqa: BLE001 - told there; a thread that is gone would leave old answers in force
                fail("a follower can't go on", SOFTWARE)
        self._log.close()

    def _turn(self) -> None:
        if not self._caught_up.is_set():
            self._follower.open()
        moved = self._follower.turn()
        self._attention.turn_to(*self._follower.places())
        self._also()
        self._caught_up.set()
        if not moved:
            self._log.wait(IDLE)
            self._attention.check()
