"""`Health`: what /livez and /readyz say. Written by the loop's thread, read by others."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

Verdict = tuple[bool, str]
"""(yes or no, the reason in words)"""
Waits = Callable[[], str]
"""What something still waits for, in words; "" where it has all that it needs."""


def nothing() -> str:
    """Of who needs nothing."""
    return ""


class Health:
    """*Live*: the loop has turned within ``stall`` seconds. *Ready*: what it needs is open, nothing else is waited for,
    and it isn't stopping."""

    def __init__(self, stall: float, clock: Callable[[], float] = monotonic) -> None:
        self.stall = stall
        self._clock = clock
        self._lock = Lock()
        self._beat = clock()
        self._closed = "starting"
        self._stopping = False
        self._waits: Waits = nothing

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

    def await_too(self, waits: Waits) -> None:
        """Not ready either while this says so."""
        with self._lock:
            self._waits = waits

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
            reason = self._closed or self._waits()
            return not reason, reason or "ready"
