"""An end for calls that have none: kafka-python waits for some of the coordinator's answers without a time-out."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from time import monotonic

OVERRUN = 70
"""Exit status: EX_SOFTWARE of sysexits.h."""

_log = logging.getLogger(__name__)


def end_process(doing: str) -> None:
    """Ends the process at once: no handler runs, nothing that hangs is waited for. Its supervisor starts a new one."""
    _log.critical("%s: no answer and no way to give up; the process ends with status %d", doing, OVERRUN)
    os._exit(OVERRUN)


class Watchdog:
    """Calls ``act`` with what was being done when it took longer than ``seconds``."""

    def __init__(self, seconds: float, act: Callable[[str], None] = end_process) -> None:
        self._seconds = seconds
        self._act = act
        self._watched: dict[object, tuple[float, str]] = {}
        self._closed = Event()
        self._start = Lock()
        self._thread: Thread | None = None

    @contextmanager
    def over(self, doing: str) -> Iterator[None]:
        self._run()
        call = object()
        self._watched[call] = (monotonic() + self._seconds, doing)
        try:
            yield
        finally:
            self._watched.pop(call, None)

    def close(self) -> None:
        self._closed.set()

    def _run(self) -> None:
        with self._start:
            if self._thread is None:
                self._thread = Thread(target=self._look, name="kafka-watchdog", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while not self._closed.wait(self._seconds / 20):
            for call, (until, doing) in list(self._watched.items()):
                if monotonic() > until:
                    self._watched.pop(call, None)
                    self._act(doing)
