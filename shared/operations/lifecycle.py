"""A process's end, in order: told once it finishes, told twice it goes, and a stall ends it by itself.

The order, and why:

1. *stop taking*: readiness goes, so that nobody sends more here;
2. *close the doors* while the loop still turns: requests in flight get their answers;
3. *finish the unit of work*: half of one would have to be done again elsewhere;
4. *leave groups, close producers*: others take the partitions at once instead of after the session's time-out;
5. */livez, /readyz and /metrics last*: they tell what the rest is waiting for.

One deadline covers all of it. What isn't done by then is done again by the next process: that is what the log is for.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from time import monotonic, sleep
from typing import NoReturn

from shared.operations.health import Health

OK, SOFTWARE, TEMPORARY, CONFIGURATION = 0, 70, 75, 78
"""Exit codes of sysexits.h."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)
LOOK = 0.25
"""Seconds between two looks of the watchdog."""

_log = logging.getLogger(__name__)


class Lifecycle:
    """``stopping`` is what the loop looks at; ``remaining`` counts down from the word to stop."""

    def __init__(self, grace: float) -> None:
        self.stopping = threading.Event()
        self._grace = grace
        self._first: list[Callable[[], None]] = []
        self._begun = threading.Lock()
        self._deadline: float | None = None

    def first(self, act: Callable[[], None]) -> None:
        """Is done, in the order of these calls, between the word to stop and `stopping`: the loop still turns."""
        self._first.append(act)

    def install(self) -> None:
        """Takes the signals over. Only the main thread may.

        They are handled on a thread: Python runs handlers on the main one alone, so never while that hangs in a
        library, and a handler that sets an event which it interrupted in the midst of being set waits for itself.
        """
        heard, told = socket.socketpair()
        told.setblocking(False)
        for number in SIGNALS:
            signal.signal(number, _pass)
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._listen, args=(heard, told), name="signals", daemon=True).start()

    def stop(self) -> None:
        """Begins the end. Saying so again changes nothing."""
        if self._begun.acquire(blocking=False):
            self._deadline = monotonic() + self._grace
            threading.Thread(target=self._wind_down, name="stopping", daemon=True).start()

    def remaining(self) -> float:
        """Seconds left of the grace; all of it while nobody has asked to stop."""
        return self._grace if self._deadline is None else max(0.0, self._deadline - monotonic())

    def overdue(self) -> bool:
        return self._deadline is not None and monotonic() > self._deadline

    def _listen(self, heard: socket.socket, _told: socket.socket) -> None:
        """``_told`` is held here, because a socket that nobody holds closes itself."""
        while number := heard.recv(1):
            if number[0] in SIGNALS:
                self._on_signal(number[0])

    def _on_signal(self, number: int) -> None:
        if self._begun.locked():
            os._exit(128 + number)
        _log.info("signal %d: stopping within %g s; a second one ends the process at once", number, self._grace)
        self.stop()

    def _wind_down(self) -> None:
        for act in self._first:
            try:
                act()
            except Exception:  # noqa: BLE001 - the rest has to be closed in any case; told below
                _log.exception("one of the first things to close could not be closed")
        self.stopping.set()


def watch(lifecycle: Lifecycle, health: Health) -> None:
    """Starts the watchdog: a process that hangs in a call nobody can give up is worse than a new one.

    It is never released, because the interpreter's own end can hang too, on a library's threads.
    """

    def look() -> None:
        while not lifecycle.overdue():
            alive, reason = health.live()
            # Who is stopping turns no more; the deadline watches over that.
            if not alive and not lifecycle.stopping.is_set():
                fail(reason, SOFTWARE)
            sleep(LOOK)
        fail("the time to stop in is over", TEMPORARY)

    threading.Thread(target=look, name="watchdog", daemon=True).start()


def fail(reason: str, code: int) -> NoReturn:
    """Ends the process where it stands and leaves the stacks of all threads behind: lines of code, no values."""
    _log.critical("%s; the stacks of all threads follow, then the process ends with %d", reason, code)
    faulthandler.dump_traceback(sys.__stderr__ or sys.stderr)
    os._exit(code)


def _pass(_number: int, _frame: object) -> None:
    """Python writes to the wake-up descriptor only for signals that have a handler."""
