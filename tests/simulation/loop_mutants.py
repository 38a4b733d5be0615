"""Bugs planted in the real cores and in the protocol around them, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

from services.embedded.simulation import loop_scenario
from services.prediction import joining
from services.training import core as training
from services.training import requests
from services.training.work import work
from shared.domain.digest import digest
from shared.events import jobs
from shared.events.base import derive_id
from shared.runtime.advance import Held
from shared.runtime.core import Run
from shared.runtime.hosts import LogHost
from shared.runtime.jobs import JobServices
from tests.simulation.mutants import ORIGINAL_WORK, Mutant, _Recorded


def _any_token(state: jobs.Jobs, event: Any) -> bool:
    return isinstance(event, jobs.Result) and state.find(event.job) is not None


def _any_claim(state: jobs.Jobs, claim: Any, offset: int, timestamp: int) -> jobs.Jobs:
    job = state.find(claim.job)
    if job is None:
        return state
    return jobs._update(state, replace(job, attempt=claim.attempt, token=offset, worker=claim.worker, alive=timestamp))


def _forgets_closed(state: jobs.Jobs, job: str) -> jobs.Jobs:
    return jobs.Jobs(tuple(other for other in state.open if other.id != job))


class _Late:
    """A blob store that stores when it's too late."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def put(self, data: bytes) -> str:
        self.kept.append(data)
        return digest(data)


def _reports_before_storing(run: Run, services: JobServices) -> None:
    late = _Late()
    work(run, JobServices(services.log, late, services.read))  # type: ignore[arg-type]
    for data in late.kept:
        services.blobs.put(data)


def _fresh_ids() -> Any:
    number = count()
    return lambda *parts: derive_id(*parts, next(number))


@contextmanager
def _saved_before_said(self: LogHost) -> Iterator[Any]:
    if self._atomic:
        with ORIGINAL_WORK(self) as real:
            yield real
        return
    work = _Recorded()
    yield work
    with ORIGINAL_WORK(self) as real:
        work.replay(real, appends=False)
    for effect in work.appends:
        self.write(effect)


def _said_outside(self: LogHost) -> Any:
    """Validation and prediction like the others: each append visible at once, then state and offsets."""
    self._atomic = False
    return ORIGINAL_WORK(self)


def _watched_by_the_claimant(self: Any, state: Any, event: Any, message: Any) -> Any:
    effects = ORIGINAL_START(self, state, event, message)
    return effects if len(effects) > 1 else ()


def _every_label_counts(labels: Any, *_: Any) -> Any:
    return labels, 0


ORIGINAL_START = training.Training._start

STUCK = ("liveness", "nothing-open", "decided", "episodes-end", "champions-agree")
ROWS = ("conserved", "predicted", "labels-counted-once")

ONE_LANE = (
    Mutant("results count under any token", jobs, "accepted", _any_token, ("jobs-agree", "fencing")),
    Mutant("claims count within the lease", jobs, "_claim", _any_claim, ("jobs-agree",)),
    # A request is repeated only after a crash, and seldom so late that its job is over.
    Mutant("closed jobs open again", jobs, "close", _forgets_closed, ("jobs-agree",), within=600),
    Mutant("completed is said before the blobs are stored", loop_scenario, "work", _reports_before_storing, ("blobs",)),
    Mutant("each request makes a new job id", requests, "derive_id", _fresh_ids(), ("one-job",)),
    Mutant("covered inputs are handled again", Held, "covers", lambda *_: False, ROWS),
    Mutant("transactions are not used", LogHost, "work", _said_outside, ROWS),
    Mutant("states are saved before decisions are said", LogHost, "work", _saved_before_said, STUCK),
)
HURRIED = (Mutant("only the claimant watches the lease", training.Training, "_start", _watched_by_the_claimant, STUCK),)
"""On a stream that comes as fast as its pipeline's file."""
TWO_LANES = (
    Mutant("second labels count too", joining, "_without_second_labels", _every_label_counts, ("labels-counted-once",)),
)
