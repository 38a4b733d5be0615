"""`Offers`: the rows that were scored, on their way to ingestion's door in the log. Scoring never waits for them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Thread

from shared.access.watching import place_of
from shared.events.topics import RECORDS_OFFERED
from shared.runtime.core import Append, Unit

LOGGER = logging.getLogger(__name__)
BATCH = 256
LARGEST = int(RECORDS_OFFERED.max_message_bytes * 0.9)
"""Bytes of one offer: what the topic takes, less the headers. A larger one would never get through."""
PAUSE = 0.5
"""Seconds between two attempts while the log does not take anything."""


class Offers:
    """``append_all`` returns when all are safe, and raises otherwise; then they are tried again, under the same keys.

    What waits is bounded by bytes. What finds no room is refused there and then: ``lost`` counts it, and the caller
    tells it.
    """

    def __init__(
        self, append_all: Callable[[Sequence[Append]], None], lost: Callable[[int], None], *, most_bytes: int
    ) -> None:
        self._append_all = append_all
        self._lost = lost
        self._most_bytes = most_bytes
        self._waiting: deque[Append] = deque()
        self._bytes = 0
        self._closing = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="offers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def __call__(self, pipeline: str, rows: bytes, headers: dict[str, str]) -> bool:
        """False where there is no room for it, or nobody to carry it any more."""
        with self._changed:
            if self._closing or len(rows) > LARGEST or self._bytes + len(rows) > self._most_bytes:
                self._lost(1)
                return False
            self._waiting.append(Append(RECORDS_OFFERED.name, Unit(pipeline), rows, headers))
            self._bytes += len(rows)
            self._changed.notify()
            return True

    def stop(self, seconds: float) -> None:
        """Carries over what waits, for so long at most."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
            self._changed.notify()
        if left:
            self._lost(left)
            LOGGER.error("%d deliveries of scored rows were not taken by the log in time and are lost", left)

    def _run(self) -> None:
        failed = False
        while (batch := self._next(failed)) is not None:
            failed = not self._carry(batch)
            if not failed:
                self._carried(len(batch))

    def _carry(self, batch: Sequence[Append]) -> bool:
        try:
            self._append_all(batch)
        except Exception as error:  # noqa: BLE001 - rows must not be lost to an error that nobody foresaw
            LOGGER.warning("scored rows wait, the log does not take them: %s", place_of(error))
            return False
        return True

    def _next(self, failed: bool) -> list[Append] | None:
        """The oldest, which stay in the queue until they are safe; None when there is nothing more to come."""
        with self._changed:
            if failed:
                self._changed.wait_for(lambda: False, timeout=PAUSE)
            self._changed.wait_for(lambda: self._waiting or self._closing)
            return [self._waiting[place] for place in range(min(BATCH, len(self._waiting)))] or None

    def _carried(self, count: int) -> None:
        with self._changed:
            for _ in range(min(count, len(self._waiting))):
                self._bytes -= len(self._waiting.popleft().value)
