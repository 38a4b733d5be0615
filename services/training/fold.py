"""The ledger folded into `TrainingState`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from services.training.choices import Lead
from services.training.state import CHECKPOINTS, Change, Comparison, Known, TrainingState
from shared.domain.pipeline import Pipeline
from shared.events import jobs as job_fold
from shared.events.base import Event
from shared.events.deployment import (
    CandidatePromoted,
    CandidateRejected,
    ModelBrought,
    PipelineApplied,
    PipelinePaused,
    PipelineResumed,
    PromotionRolledBack,
    PromotionVerified,
    TrialPended,
)
from shared.events.drift_detection import DataFaultCleared, DataFaultFound, DriftCleared, DriftDetected
from shared.events.training import (
    EvaluationRequested,
    JobFailed,
    ProbeRequested,
    TrainingCompleted,
    TrainingRequested,
)

KNOWN_KEPT = 8
HISTORY_KEPT = 256
ENDED_KEPT = 256


def fold(state: TrainingState, event: Event, offset: int, timestamp: int, pipeline: Pipeline | None) -> TrainingState:
    """The state after one ledger event; results of jobs that the job fold does not accept change nothing."""
    valid = not isinstance(event, job_fold.Result) or job_fold.accepted(state.jobs, event)
    valid = valid and not job_fold.known(state.jobs, event)
    state = replace(state, jobs=job_fold.fold(state.jobs, event, offset, timestamp))
    if isinstance(event, job_fold.Requested) and event.job == state.asked:
        state = replace(state, asked="")
    if not valid:
        return state
    apply = FOLDS.get(type(event))
    state = state if apply is None else apply(state, event, pipeline)
    return _forget_closed(state) if isinstance(event, job_fold.Result) else state


def _forget_closed(state: TrainingState) -> TrainingState:
    open_jobs = {job.id for job in state.jobs.open}
    return replace(
        state,
        trainings=tuple(r for r in state.trainings if r.job in open_jobs),
        evaluations=tuple(r for r in state.evaluations if r.job in open_jobs),
        probes=tuple(r for r in state.probes if r.job in open_jobs),
    )


def end(state: TrainingState, *ids: str) -> TrainingState:
    """With these remembered as over."""
    return replace(state, ended=(*state.ended, *(i for i in ids if i not in state.ended))[-ENDED_KEPT:])


def _applied(state: TrainingState, event: PipelineApplied, _: Pipeline | None) -> TrainingState:
    return state if event.command in state.ended else replace(end(state, event.command), file=event.file)


def _paused(state: TrainingState, event: PipelinePaused, _: Pipeline | None) -> TrainingState:
    return state if event.command in state.ended else replace(end(state, event.command), paused=True)


def _resumed(state: TrainingState, event: PipelineResumed, _: Pipeline | None) -> TrainingState:
    return state if event.command in state.ended else replace(end(state, event.command), paused=False)


def _detected(state: TrainingState, event: DriftDetected, _: Pipeline | None) -> TrainingState:
    if state.change(event.episode) is not None or event.episode in state.ended:
        return state
    return replace(state, changes=(*state.changes, Change(event.episode, event.origin, event.since_label)))


def _cleared(state: TrainingState, event: DriftCleared, _: Pipeline | None) -> TrainingState:
    return replace(state, changes=tuple(c for c in state.changes if c.episode != event.episode))


def _training(state: TrainingState, event: TrainingRequested, pipeline: Pipeline | None) -> TrainingState:
    after = pipeline.retraining.check_after if pipeline else None
    return replace(
        state,
        trainings=(*state.trainings, event),
        history=(*state.history, event.label)[-HISTORY_KEPT:],
        lead=Lead(),
        next_check=None
        if after is None or pipeline is None
        else state.check_from(event.label, int(after * pipeline.window)),
    )


def _probe(state: TrainingState, event: ProbeRequested, _: Pipeline | None) -> TrainingState:
    return replace(state, probes=(*state.probes, event))


def _evaluation(state: TrainingState, event: EvaluationRequested, _: Pipeline | None) -> TrainingState:
    return replace(state, evaluations=(*state.evaluations, event))


def _completed(state: TrainingState, event: TrainingCompleted, _: Pipeline | None) -> TrainingState:
    """The latest versions, and all that may still be scored, however many candidates came since."""
    known = (*state.known, Known(event.version, event.model, event.last_label, event.loss_scale))
    running = state.comparison
    needed = {state.champion, state.retired, *((running.champion, running.challenger) if running else ())}
    return replace(state, known=tuple(k for k in known[:-KNOWN_KEPT] if k.version in needed) + known[-KNOWN_KEPT:])


def _brought(state: TrainingState, event: ModelBrought, _: Pipeline | None) -> TrainingState:
    return replace(state, known=(*state.known, Known(event.version, event.model, 0, 1.0)))


def _failed(state: TrainingState, event: JobFailed, pipeline: Pipeline | None) -> TrainingState:
    """A first training that failed is tried again a window later, or the pipeline would never serve."""
    request = next((r for r in state.trainings if r.job == event.job), None)
    first = event.final and state.champion is None and request is not None and request.trigger == "bootstrap"
    if not first or pipeline is None:
        return state
    return replace(state, bootstrapped=False, retry_at=state.label + pipeline.window)


def _promoted(state: TrainingState, event: CandidatePromoted, pipeline: Pipeline | None) -> TrainingState:
    stale = event.expected_version != state.champion or event.version in state.ended
    if stale or state.version(event.version) is None or pipeline is None:
        return state
    comparison = None
    if state.champion is not None and event.rule != "unconditional":
        comparison = _compare(state, event.cause, event.version, state.champion, event.label, pipeline)
    state = end(state, event.version)
    return replace(state, champion=event.version, retired=state.champion, comparison=comparison)


def _pended(state: TrainingState, event: TrialPended, pipeline: Pipeline | None) -> TrainingState:
    running = state.comparison is not None and state.comparison.challenger == event.version
    if pipeline is None or running or event.version in state.ended or event.champion != state.champion:
        return state
    return replace(
        state,
        comparison=_compare(state, event.cause, event.champion, event.version, event.since_label, pipeline),
    )


def _compare(
    state: TrainingState, cause: str, champion: str, challenger: str, label: int, pipeline: Pipeline
) -> Comparison:
    """A window of labels from now on."""
    until = max(state.label, label + int(pipeline.promotion.watch * pipeline.window))
    first = label + max(1, pipeline.window // CHECKPOINTS)
    return Comparison(cause, champion, challenger, label, first, until)


def _ended(state: TrainingState, event: PromotionVerified | CandidateRejected, _: Pipeline | None) -> TrainingState:
    state, running = end(state, event.version), state.comparison
    # By both names: an earlier verdict's repeat may name a version that is compared with another one by now.
    pair = (event.version, event.over) if isinstance(event, PromotionVerified) else (state.champion, event.version)
    if running is not None and (running.champion, running.challenger) == pair:
        return replace(state, comparison=None)
    return state


def _rolled_back(state: TrainingState, event: PromotionRolledBack, _: Pipeline | None) -> TrainingState:
    if event.version != state.champion:
        return state
    return replace(state, champion=event.to, retired=None, comparison=None)


def _fault(state: TrainingState, event: DataFaultFound, _: Pipeline | None) -> TrainingState:
    if event.fault in dict(state.faults) or event.fault in state.ended:
        return state
    return replace(state, faults=(*state.faults, (event.fault, f"{event.kind} of {event.column or 'the stream'}")))


def _fault_cleared(state: TrainingState, event: DataFaultCleared, _: Pipeline | None) -> TrainingState:
    faults = tuple(fault for fault in state.faults if fault[0] != event.fault)
    stretch = (event.first, event.last)
    excluded = state.excluded if stretch in state.excluded else (*state.excluded, stretch)[-HISTORY_KEPT:]
    return replace(end(state, event.fault), faults=faults, excluded=excluded)


FOLDS: dict[type[Event], Callable[[TrainingState, Any, Pipeline | None], TrainingState]] = {
    PipelineApplied: _applied,
    ModelBrought: _brought,
    PipelinePaused: _paused,
    PipelineResumed: _resumed,
    DriftDetected: _detected,
    DriftCleared: _cleared,
    DataFaultFound: _fault,
    DataFaultCleared: _fault_cleared,
    TrainingRequested: _training,
    ProbeRequested: _probe,
    EvaluationRequested: _evaluation,
    TrainingCompleted: _completed,
    JobFailed: _failed,
    TrialPended: _pended,
    CandidatePromoted: _promoted,
    CandidateRejected: _ended,
    PromotionVerified: _ended,
    PromotionRolledBack: _rolled_back,
}
