"""Jobs in processes of their own: a fit holds the interpreter for seconds, and the loop must go on meanwhile.

Children are forked from a server process that has the slow libraries loaded and no threads, so that a job starts in
milliseconds and inherits no client's connections.  They die with their parent: a job whose lease nobody renews any
more would be done twice.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from time import monotonic

from shared.runtime.core import Run

KILLED_WITHIN = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that is gone. ``reason`` is "" where it did its work to the end; then it has reported itself."""

    run: Run
    reason: str


@dataclass(frozen=True, slots=True)
class _Child:
    run: Run
    process: BaseProcess
    deadline: float


class Children:
    """Runs ``work`` in up to ``limit`` children at once, each for ``seconds`` at most; the others wait in order.

    ``work`` has to be importable by name, and so has everything it holds.
    """

    def __init__(self, work: Callable[[Run], None], *, limit: int, seconds: float, preload: Sequence[str]) -> None:
        self._work = work
        self._limit = limit
        self._seconds = seconds
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._waiting: deque[Run] = deque()
        self._children: list[_Child] = []

    @property
    def runs(self) -> tuple[Run, ...]:
        """What was started and has not ended, the waiting ones too."""
        return (*(child.run for child in self._children), *self._waiting)

    def start(self, run: Run) -> None:
        """Never blocks: a run waits for its turn."""
        self._waiting.append(run)

    def turn(self) -> tuple[Ended, ...]:
        """Starts what may start; tells which have ended since the last call."""
        over = [child for child in self._children if not child.process.is_alive() or monotonic() > child.deadline]
        self._children = [child for child in self._children if child not in over]
        ended = tuple(self._ended(child) for child in over)
        while self._waiting and len(self._children) < self._limit:
            self._begin(self._waiting.popleft())
        return ended

    def close(self) -> None:
        """Ends all of them. Their leases lapse, and another process takes the jobs."""
        self._waiting.clear()
        for child in self._children:
            _kill(child.process)
        self._children.clear()

    def _begin(self, run: Run) -> None:
        process = self._context.Process(target=_run, args=(self._work, run), daemon=True)
        process.start()
        self._children.append(_Child(run, process, monotonic() + self._seconds))

    def _ended(self, child: _Child) -> Ended:
        if child.process.is_alive():
            _kill(child.process)
            return Ended(child.run, f"no end within {self._seconds:.0f} s: the process was killed")
        code = child.process.exitcode
        child.process.close()
        return Ended(child.run, "" if code == 0 else _words(code))


def _run(work: Callable[[Run], None], run: Run) -> None:
    """The child's whole life."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C goes to the whole group of a terminal; the parent decides when its children end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    work(run)


def _end_with_parent() -> None:
    """Linux's parent-death signal would not do: by birth the child's parent is the fork server, which lives on."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _kill(process: BaseProcess) -> None:
    process.kill()
    process.join(KILLED_WITHIN)
    process.close()


def _words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"the process was ended by signal {-code} ({signal.Signals(-code).name}); out of memory, perhaps"
    return f"the process ended with exit code {code}; its log says why"
