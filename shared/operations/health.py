"""`Health`: what /livez and /readyz say. Written by the loop's thread, read by others."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

Verdict = tuple[bool, str]
"""(yes or no, the reason in words)"""


class Health:
    """*Live*: the loop has turned within ``stall`` seconds. *Ready*: what it needs is open, and it isn't stopping."""

    def __init__(self, stall: float, clock: Callable[[], float] = monotonic) -> None:
        self.stall = stall
        self._clock = clock
        self._lock = Lock()
        self._beat = clock()
        self._closed = "starting"
        self._stopping = False

    def beat(self) -> None:
        """The loop is alive, whether or not it has anything to do."""
        with self._lock:
            self._beat = self._clock()

    def opened(self) -> None:
        with self._lock:
            self._closed = ""

    def closed(self, reason: str) -> None:
        with self._lock:
            self._closed = reason

    def stopping(self) -> None:
        """For good: what still opens on the way out makes nothing ready."""
        with self._lock:
            self._stopping = True

    def live(self) -> Verdict:
        with self._lock:
            silent = self._clock() - self._beat
        alive = silent <= self.stall
        return alive, "turning" if alive else f"no turn of the loop for {silent:.0f} s"

    def ready(self) -> Verdict:
        with self._lock:
            if self._stopping:
                return False, "stopping"
            return not self._closed, self._closed or "ready"
