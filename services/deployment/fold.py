"""The ledger folded into `DeploymentState`. Every reader folds the same order to the same champion; no lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from services.deployment.state import RENEWING, DeploymentState, Episode, Fault, Trial, Version
from shared.domain.pipeline import Pipeline
from shared.events import jobs as job_fold
from shared.events.base import Event
from shared.events.deployment import (
    ApprovalAwaited,
    CandidatePromoted,
    CandidateRejected,
    EpisodeClosed,
    ModelBrought,
    PipelineApplied,
    PipelinePaused,
    PipelineResumed,
    PromotionRolledBack,
    PromotionVerified,
    TrialPended,
)
from shared.events.drift_detection import DataFaultCleared, DataFaultFound, DriftDetected, DriftMatured
from shared.events.training import EvaluationCompleted, ProbeRequested, TrainingCompleted, TrainingRequested

CANDIDATES_KEPT = 8
ENDED_KEPT = 256


def fold(
    state: DeploymentState, event: Event, offset: int, timestamp: int, pipeline: Pipeline | None
) -> DeploymentState:
    """The state after one ledger event. Results that the job fold does not accept, and promotions that expect
    another champion, change nothing."""
    valid = counts(state, event)
    state = replace(
        state,
        jobs=job_fold.fold(state.jobs, event, offset, timestamp),
        row=max(state.row, getattr(event, "row", 0)),
        label=max(state.label, getattr(event, "label", 0)),
    )
    apply = FOLDS.get(type(event))
    return apply(state, event, pipeline) if apply is not None and valid else state


def counts(state: DeploymentState, event: Event) -> bool:
    """Whether anything may follow from the event: a stale worker's result and a repeated request are passed over."""
    stale = isinstance(event, job_fold.Result) and not job_fold.accepted(state.jobs, event)
    return not stale and not job_fold.known(state.jobs, event)


def is_valid(state: DeploymentState, promotion: CandidatePromoted) -> bool:
    """First in ledger order wins: it expects the champion that serves, and its version is a known candidate."""
    serving = state.champion.id if state.champion else None
    return promotion.expected_version == serving and _is_candidate(state, promotion.version)


def _applied(state: DeploymentState, event: PipelineApplied, _: Pipeline | None) -> DeploymentState:
    return state if event.command in state.ended else replace(_end(state, event.command), file=event.file)


def brought(event: ModelBrought) -> Version:
    """Every labelled row is unseen by it."""
    return Version(
        id=event.version,
        job=event.command,
        cause=event.command,
        trigger="bootstrap",
        model=event.model,
        baseline=None,
        loss_scale=1.0,
        cut=0,
    )


def _brought(state: DeploymentState, event: ModelBrought, _: Pipeline | None) -> DeploymentState:
    version = brought(event)
    known = state.candidate(version.id) is not None
    return state if known else replace(state, candidates=(*state.candidates, version)[-CANDIDATES_KEPT:])


def _end(state: DeploymentState, name: str) -> DeploymentState:
    return state if name in state.ended else replace(state, ended=(*state.ended, name)[-ENDED_KEPT:])


def _detected(state: DeploymentState, event: DriftDetected, _: Pipeline | None) -> DeploymentState:
    known = event.episode in state.ended or any(episode.id == event.episode for episode in state.episodes)
    return state if known else replace(state, episodes=(*state.episodes, Episode(event.episode)))


def _matured(state: DeploymentState, event: DriftMatured, _: Pipeline | None) -> DeploymentState:
    episodes = tuple(replace(e, final=e.final or event.final) if e.id == event.episode else e for e in state.episodes)
    return replace(state, episodes=episodes)


def _fault_found(state: DeploymentState, event: DataFaultFound, _: Pipeline | None) -> DeploymentState:
    known = event.fault in state.ended or any(fault.id == event.fault for fault in state.faults)
    fault = Fault(event.fault, event.kind, event.column, event.first)
    return state if known else replace(state, faults=(*state.faults, fault))


def _fault_cleared(state: DeploymentState, event: DataFaultCleared, _: Pipeline | None) -> DeploymentState:
    return replace(_end(state, event.fault), faults=tuple(f for f in state.faults if f.id != event.fault))


def _switched(state: DeploymentState, event: PipelinePaused | PipelineResumed, _: Pipeline | None) -> DeploymentState:
    if event.command in state.ended:
        return state
    return replace(_end(state, event.command), paused=isinstance(event, PipelinePaused))


def _requested(
    state: DeploymentState, event: TrainingRequested | ProbeRequested, _: Pipeline | None
) -> DeploymentState:
    open_jobs = {job.id for job in state.jobs.open}
    causes = tuple(pair for pair in state.causes if pair[0] in open_jobs and pair[0] != event.job)
    return replace(state, causes=(*causes, (event.job, event.cause)))


def _completed(state: DeploymentState, event: TrainingCompleted, _: Pipeline | None) -> DeploymentState:
    version = Version(
        id=event.version,
        job=event.job,
        cause=event.cause,
        trigger=event.trigger,
        model=event.model,
        baseline=event.baseline,
        loss_scale=event.loss_scale,
        cut=event.last_label,
    )
    state = replace(state, candidates=(*state.candidates, version)[-CANDIDATES_KEPT:])
    if state.champion is None or state.baseline is not None:
        return state
    # The champion was brought along. Whatever becomes of this candidate, its rows are the first known to be normal.
    return replace(state, baseline=event.baseline, generation=state.generation + 1)


def _awaited(state: DeploymentState, event: ApprovalAwaited, _: Pipeline | None) -> DeploymentState:
    return replace(state, awaiting=event.version) if _is_candidate(state, event.version) else state


def _is_candidate(state: DeploymentState, version: str) -> bool:
    """Neither promoted nor rejected yet."""
    return any(v.id == version for v in state.candidates)


def _pended(state: DeploymentState, event: TrialPended, _: Pipeline | None) -> DeploymentState:
    running = state.trial is not None and state.trial.challenger == event.version
    against = state.champion is not None and state.champion.id == event.champion
    if running or not against or not _is_candidate(state, event.version):
        return state
    return replace(state, trial=Trial(event.cause, event.champion, event.version, event.until_label))


def _promoted(state: DeploymentState, event: CandidatePromoted, pipeline: Pipeline | None) -> DeploymentState:
    if not is_valid(state, event):
        return state
    new = next(v for v in state.candidates if v.id == event.version)
    old = state.champion
    # Other decisions may have come between this one and its place in the ledger: a generation never goes back.
    anew = old is None or new.trigger in RENEWING
    generation = max(event.generation, state.generation + 1) if anew else state.generation
    watch = None
    if old is not None and event.rule != "unconditional" and pipeline is not None:
        until = max(new.cut, event.label) + int(pipeline.promotion.watch * pipeline.window)
        watch = Trial(event.cause, new.id, old.id, until)
    return replace(
        state,
        champion=new,
        retired=old,
        candidates=tuple(v for v in state.candidates if v.id != new.id),
        generation=generation,
        baseline=new.baseline if anew else state.baseline,
        trial=None,
        watch=watch,
        awaiting=None,
    )


def _rejected(state: DeploymentState, event: CandidateRejected, _: Pipeline | None) -> DeploymentState:
    trial = None if state.trial and state.trial.challenger == event.version else state.trial
    awaiting = None if state.awaiting == event.version else state.awaiting
    candidates = tuple(v for v in state.candidates if v.id != event.version)
    return replace(state, candidates=candidates, trial=trial, awaiting=awaiting)


def _evaluated(state: DeploymentState, event: EvaluationCompleted, _: Pipeline | None) -> DeploymentState:
    state = replace(state, label=max(state.label, event.last_label), dispersion=state.dispersion + event.dispersion)
    for name in ("trial", "watch"):
        trial: Trial | None = getattr(state, name)
        if trial is not None and trial.champion == event.champion and trial.challenger in event.pairs:
            counted = replace(trial, slices=trial.add(event.pairs[trial.challenger]))
            state = replace(state, **{name: counted})  # type: ignore[arg-type]
    return state


def _verified(state: DeploymentState, event: PromotionVerified, _: Pipeline | None) -> DeploymentState:
    return replace(state, watch=None) if state.watch and state.watch.champion == event.version else state


def _rolled_back(state: DeploymentState, event: PromotionRolledBack, _: Pipeline | None) -> DeploymentState:
    if state.champion is None or state.champion.id != event.version or state.retired is None:
        return state
    return replace(
        state,
        champion=state.retired,
        retired=None,
        generation=max(event.generation, state.generation + 1),
        baseline=state.retired.baseline or state.baseline,
        watch=None,
        trial=None,
    )


def _closed(state: DeploymentState, event: EpisodeClosed, _: Pipeline | None) -> DeploymentState:
    return replace(_end(state, event.episode), episodes=tuple(e for e in state.episodes if e.id != event.episode))


FOLDS: dict[type[Event], Callable[[DeploymentState, Any, Pipeline | None], DeploymentState]] = {
    PipelineApplied: _applied,
    ModelBrought: _brought,
    PipelinePaused: _switched,
    PipelineResumed: _switched,
    DataFaultFound: _fault_found,
    DataFaultCleared: _fault_cleared,
    DriftDetected: _detected,
    DriftMatured: _matured,
    TrainingRequested: _requested,
    ProbeRequested: _requested,
    TrainingCompleted: _completed,
    ApprovalAwaited: _awaited,
    TrialPended: _pended,
    CandidatePromoted: _promoted,
    CandidateRejected: _rejected,
    EvaluationCompleted: _evaluated,
    PromotionVerified: _verified,
    PromotionRolledBack: _rolled_back,
    EpisodeClosed: _closed,
}
