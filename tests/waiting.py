"""Waiting in tests: never for a time, always for something to become true."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic

PATIENCE = 300.0
"""Seconds. It costs nothing where things work: it only ends a test that would hang, however slow the machine is."""
PAUSE = 0.02


def until(condition: Callable[[], object], what: str = "what the test waits for", seconds: float = PATIENCE) -> None:
    """Looks, with pauses that leave the processor to what is waited for; fails with what that was."""
    deadline, pause = monotonic() + seconds, Event()
    while not condition():
        assert monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        pause.wait(PAUSE)
