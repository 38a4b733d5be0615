"""Ends a process that is behind and gets nowhere: a stalled fetch, a dead task, a blocked loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from dataclasses import dataclass
from time import monotonic
from typing import Any

CHECKS = 8
"""How often per patience."""


@dataclass(frozen=True, slots=True)
class Standing:
    """``behind``: whether there is work to do. ``marks``: change with every bit of progress."""

    behind: bool
    marks: tuple[int, ...]


class Watchdog(threading.Thread):
    """Asks from a thread of its own: a loop that is blocked can't tell, and that is an answer too."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        standing: Callable[[], Coroutine[Any, Any, Standing]],
        patience: float,
        bite: Callable[[str], None],
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._loop = loop
        self._standing = standing
        self._patience = patience
        self._bite = bite
        self._released = threading.Event()

    def release(self) -> None:
        self._released.set()

    def run(self) -> None:
        last, since = Standing(False, ()), monotonic()
        while not self._released.wait(self._patience / CHECKS):
            now = self._ask()
            if now is not None and (not now.behind or now.marks != last.marks):
                last, since = now, monotonic()
            elif monotonic() - since > self._patience and not self._released.is_set():
                self._bite(f"behind and without progress for {self._patience:g} s; last known: {now or 'no answer'}")
                return

    def _ask(self) -> Standing | None:
        """None where no answer comes, or the broker gives none."""
        asked = asyncio.run_coroutine_threadsafe(self._standing(), self._loop)
        try:
            return asked.result(self._patience / CHECKS)
        except (Exception, CancelledError):  # noqa: BLE001
            asked.cancel()
            return None
