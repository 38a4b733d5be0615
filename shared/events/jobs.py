"""Who holds which job: the fold that makes at most one result per job count, whoever reads the ledger.

A claim is valid iff it is the job's first, or came after the last sign of life plus the lease; its ledger offset is
the fencing token.  A result counts iff it carries the token of the job's newest valid claim and the job is still
open.  Times are the log's append times: every reader folds the same ones (Kleppmann, "How to do distributed
locking", 2016, on why the token and not the lock makes it safe).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.events.base import Event
from shared.events.training import (
    EvaluationCompleted,
    EvaluationRequested,
    JobBeat,
    JobClaimed,
    JobFailed,
    ProbeCompleted,
    ProbeRequested,
    TrainingCompleted,
    TrainingRequested,
)

LEASE = 60_000
"""Milliseconds without a heartbeat after which another worker may take the job."""
ATTEMPTS = 3

Requested = TrainingRequested | EvaluationRequested | ProbeRequested
Result = TrainingCompleted | EvaluationCompleted | ProbeCompleted | JobFailed


@dataclass(frozen=True, slots=True)
class Job:
    """One open job. ``token`` is None until a claim is accepted."""

    id: str
    kind: str
    attempt: int = 0
    token: int | None = None
    worker: str = ""
    alive: int = 0

    def lapsed(self, now: int) -> bool:
        return self.token is not None and now > self.alive + LEASE


@dataclass(frozen=True, slots=True)
class Jobs:
    """Open jobs in request order, and the ids of the last closed ones (a repeated request must not open them again)."""

    open: tuple[Job, ...] = ()
    closed: tuple[str, ...] = ()

    def find(self, job: str) -> Job | None:
        return next((j for j in self.open if j.id == job), None)


CLOSED_KEPT = 256


def fold(jobs: Jobs, event: Event, offset: int, timestamp: int) -> Jobs:
    """The jobs after one ledger event; events that change nothing leave it as it is."""
    if isinstance(event, Requested):
        return jobs if known(jobs, event) else replace(jobs, open=(*jobs.open, Job(event.job, event.type)))
    if isinstance(event, JobClaimed):
        return _claim(jobs, event, offset, timestamp)
    if isinstance(event, JobBeat):
        job = jobs.find(event.job)
        return jobs if job is None or job.token != event.token else _update(jobs, replace(job, alive=timestamp))
    if not accepted(jobs, event):
        return jobs
    if isinstance(event, JobFailed) and not event.final:
        return _given_up(jobs, event.job, timestamp)
    return close(jobs, event.job)  # type: ignore[attr-defined]


def accepted(jobs: Jobs, event: Event) -> bool:
    """Whether a result counts: its job is open and the token is the newest valid claim's."""
    if not isinstance(event, Result):
        return False
    job = jobs.find(event.job)
    return job is not None and job.token == event.token


def close(jobs: Jobs, job: str) -> Jobs:
    """Without the job; its id is remembered."""
    return Jobs(tuple(j for j in jobs.open if j.id != job), (*jobs.closed, job)[-CLOSED_KEPT:])


def _given_up(jobs: Jobs, job: str, timestamp: int) -> Jobs:
    """A worker that reports its failure ends its lease, so that the next attempt need not wait for it."""
    return Jobs(tuple(replace(j, alive=timestamp - LEASE - 1) if j.id == job else j for j in jobs.open), jobs.closed)


def known(jobs: Jobs, event: Event) -> bool:
    """Whether it asks for a job that was asked for before: a repeat."""
    return isinstance(event, Requested) and (event.job in jobs.closed or jobs.find(event.job) is not None)


def _claim(jobs: Jobs, claim: JobClaimed, offset: int, timestamp: int) -> Jobs:
    job = jobs.find(claim.job)
    if job is None or claim.attempt > ATTEMPTS or (job.token is not None and not job.lapsed(timestamp)):
        return jobs
    if claim.attempt != job.attempt + 1:
        return jobs  # a late copy of an earlier claim: its worker is long done, and counting anew would have no end
    return _update(jobs, replace(job, attempt=claim.attempt, token=offset, worker=claim.worker, alive=timestamp))


def _update(jobs: Jobs, job: Job) -> Jobs:
    return replace(jobs, open=tuple(job if j.id == job.id else j for j in jobs.open))
