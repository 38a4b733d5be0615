"""`Window`: sends under way, bounded by bytes, every one of them looked at."""

from __future__ import annotations

from collections import deque
from typing import Any


class Window:
    """At most ``limit`` bytes wait for the broker's word; `add` blocks until there is room (K6).

    Failures are raised as the library's errors, by `add` or `settle`: none goes unseen (K1, K5). ``patience`` is the
    seconds to wait for one answer.
    """

    def __init__(self, limit: int, patience: float) -> None:
        self._limit = limit
        self._patience = patience
        self._waiting: deque[tuple[Any, int]] = deque()
        self._bytes = 0
        self._offsets: list[int] = []

    def add(self, future: Any, size: int) -> None:
        self._waiting.append((future, size))
        self._bytes += size
        while self._bytes > self._limit:
            self._look_at_oldest()

    def settle(self) -> list[int]:
        """Waits for all; the offsets of everything added since the last time, in that order."""
        while self._waiting:
            self._look_at_oldest()
        offsets, self._offsets = self._offsets, []
        return offsets

    def _look_at_oldest(self) -> None:
        future, size = self._waiting.popleft()
        self._bytes -= size
        self._offsets.append(future.get(self._patience).offset)
