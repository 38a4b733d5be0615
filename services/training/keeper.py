"""`Keeper`: starts accepted jobs, keeps their leases alive, and reports those that died without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from services.training.work import decode_work
from shared.events.base import Event
from shared.events.envelope import to_append
from shared.events.jobs import LEASE
from shared.events.topics import LEDGER
from shared.events.training import JobBeat, JobFailed
from shared.runtime.core import Append, Run

BEAT = LEASE // 4
"""Milliseconds between two signs of life: several may be late or lost before the lease ends."""


class Ended(Protocol):
    """A job's process that is gone; ``reason`` is "" where it has reported its result itself."""

    @property
    def run(self) -> Run: ...

    @property
    def reason(self) -> str: ...


class Children(Protocol):
    """Processes that do jobs."""

    @property
    def runs(self) -> tuple[Run, ...]: ...

    def start(self, run: Run) -> None: ...

    def turn(self) -> tuple[Ended, ...]: ...


class Keeper:
    """Appends what it says at once; ``now`` is the log's time in milliseconds."""

    def __init__(self, children: Children, append: Callable[[Append], object], now: Callable[[], int]) -> None:
        self._children = children
        self._append = append
        self._now = now
        self._due = 0

    def turn(self) -> bool:
        """Whether anything was said."""
        said = [_failed(ended) for ended in self._children.turn() if ended.reason]
        if self._now() >= self._due:
            said += [_beat(run, self._now()) for run in self._children.runs]
            self._due = self._now() + BEAT
        for event in said:
            self._append(to_append(LEDGER.name, event))
        return bool(said)


def _beat(run: Run, now: int) -> Event:
    return JobBeat(pipeline=_pipeline(run), job=run.job, token=run.token, beat=now)


def _failed(ended: Ended) -> Event:
    """Not final: another attempt, perhaps elsewhere, may do better."""
    run = ended.run
    return JobFailed(pipeline=_pipeline(run), job=run.job, token=run.token, reason=ended.reason, final=False)


def _pipeline(run: Run) -> str:
    return decode_work(run.payload).request.pipeline
