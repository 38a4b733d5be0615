"""What deployment says to each ledger event, given the state after it. Saying it twice is harmless: ids are derived."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from services.deployment.gate import gain, judge
from services.deployment.state import RENEWING, DeploymentState, Trial, Version
from shared.domain.pipeline import Pipeline
from shared.domain.trials import Paired
from shared.events.base import Event
from shared.events.deployment import (
    ApprovalAwaited,
    CandidatePromoted,
    CandidateRejected,
    EpisodeClosed,
    PromotionRolledBack,
    PromotionVerified,
    Rule,
    TrialPended,
)
from shared.events.drift_detection import DriftCleared
from shared.events.training import EvaluationCompleted, JobFailed, TrainingCompleted, TrainingSuppressed


def decide(state: DeploymentState, event: Event, pipeline: Pipeline) -> Iterator[Event]:
    """New events in order, none for most inputs."""
    say = DECISIONS.get(type(event))
    if say is not None:
        yield from say(state, event, pipeline)


def promote(
    state: DeploymentState, version: Version, rule: Rule, reasons: tuple[str, ...], trial: Paired | None = None
) -> Iterator[Event]:
    """The promotion, and the ends of a watch that it cuts short and of candidates that it overtakes."""
    yield from _overtake(state, version.id)
    if state.watch is not None and state.watch.cause != version.cause:
        yield from _close(state, state.watch.cause, "superseded", -gain(state.watch.whole), state.watch.champion)
    yield CandidatePromoted(
        pipeline=state.pipeline,
        job=version.job,
        cause=version.cause,
        version=version.id,
        expected_version=state.champion.id if state.champion else None,
        rule=rule,
        reasons=reasons,
        trial=trial,
        # Bins follow the training rows: a candidate for a drift learnt other inputs than the old bins describe.
        generation=state.generation + (state.champion is None or version.trigger in RENEWING),
        row=state.row,
        label=state.label,
    )
    if rule == "unconditional":
        # No watch follows: nobody will ever know whether it helped.
        yield from _close(state, version.cause, "unverified", 0.0, version.id)


def _overtake(state: DeploymentState, by: str) -> Iterator[Event]:
    """Candidates on trial or awaiting approval: their champion goes, or a newer candidate takes their place."""
    trial = state.trial
    for version in state.candidates:
        tried = trial is not None and trial.challenger == version.id
        if version.id != by and (tried or state.awaiting == version.id):
            counted = trial.whole if trial is not None and tried else None
            yield from _refuse(state, version, (f"overtaken by version {by}",), counted)


def _on_promoted(state: DeploymentState, event: CandidatePromoted, _: Pipeline) -> Iterator[Event]:
    """Still a candidate: its promotion lost to an earlier one in the ledger, and it is over for this version too."""
    version = next((v for v in state.candidates if v.id == event.version), None)
    if version is not None:
        serving = state.champion.id if state.champion else "none"
        reason = f"it was to replace {event.expected_version or 'none'}, but {serving} was promoted first"
        yield from _refuse(state, version, (reason,), event.trial)


def _on_completed(state: DeploymentState, event: TrainingCompleted, pipeline: Pipeline) -> Iterator[Event]:
    version = next((v for v in state.candidates if v.job == event.job), None)
    if version is None:
        return
    policy = pipeline.promotion
    rule = policy.after_drift if event.trigger in ("drift", "inputs") else policy.otherwise
    if state.champion is None:
        yield from promote(state, version, "bootstrap", _against_trivial(event))
    elif policy.mode != "auto":
        yield from _ask(state, version, pipeline)
    elif rule == "proven":
        yield from _overtake(state, version.id)
        until = version.cut + int(policy.watch * pipeline.window)
        yield TrialPended(
            pipeline=event.pipeline,
            version=version.id,
            job=event.job,
            cause=event.cause,
            champion=state.champion.id,
            since_label=version.cut,
            until_label=until,
        )
    elif rule == "provisional":
        watched = int(policy.watch * pipeline.window)
        odds = f"{policy.odds:g}:1 evidence within {watched} labelled rows brings {state.champion.id[:8]} back"
        yield from promote(state, version, rule, (f"serves provisionally: {odds}",))
    else:
        yield from promote(state, version, rule, ("the policy promotes every candidate",))


def _against_trivial(event: TrainingCompleted) -> tuple[str, ...]:
    """The first version serves in any case, since nothing else does; the reasons say how it compares."""
    shares = {name: 1 - quality.mean_loss for name, quality in event.holdout.items()}
    return tuple(f"{name}: {share:.3f} on a time-ordered hold-out" for name, share in sorted(shares.items()))


def _ask(state: DeploymentState, version: Version, pipeline: Pipeline) -> Iterator[Event]:
    if pipeline.promotion.mode == "approve":
        yield from _overtake(state, version.id)
        yield ApprovalAwaited(
            pipeline=pipeline.name,
            version=version.id,
            job=version.job,
            cause=version.cause,
            reasons=("mode is 'approve': a person decides",),
        )
    else:
        yield from _refuse(state, version, ("mode is 'suggest': the candidate is kept, nothing is promoted",), None)


def _on_evaluated(state: DeploymentState, event: EvaluationCompleted, pipeline: Pipeline) -> Iterator[Event]:
    if state.trial is not None and state.trial.challenger in event.pairs and state.trial.champion == event.champion:
        yield from _judge_trial(state, state.trial, event, pipeline)
    if state.watch is not None and state.watch.challenger in event.pairs and state.watch.champion == event.champion:
        yield from _judge_watch(state, state.watch, event, pipeline)


def _judge_trial(
    state: DeploymentState, trial: Trial, event: EvaluationCompleted, pipeline: Pipeline
) -> Iterator[Event]:
    version = state.candidate(trial.challenger)
    if version is None:
        return
    judgement = judge(dict(trial.slices), pipeline.promotion, state.dispersion.phi)
    if judgement.verdict == "better":
        yield from promote(state, version, "proven", judgement.reasons, trial.whole)
    elif judgement.verdict == "worse" or event.last_label >= trial.until:
        yield from _refuse(state, version, judgement.reasons, trial.whole)


def _judge_watch(
    state: DeploymentState, watch: Trial, event: EvaluationCompleted, pipeline: Pipeline
) -> Iterator[Event]:
    """The old champion is the challenger here: "better" brings it back."""
    phi = state.dispersion.phi
    judgement = judge({"all": watch.whole}, pipeline.promotion, phi)
    regressed = judge({name: trial.swapped() for name, trial in watch.slices}, pipeline.promotion, phi)
    if judgement.verdict == "better" or regressed.verdict == "worse":
        reasons = judgement.reasons if judgement.verdict == "better" else regressed.reasons
        yield from roll_back(state, watch, "; ".join(reasons))
    elif event.last_label >= watch.until:
        yield PromotionVerified(
            pipeline=event.pipeline,
            version=watch.champion,
            over=watch.challenger,
            cause=watch.cause,
            trial=watch.whole.swapped(),
            row=state.row,
            label=state.label,
        )
        yield from _close(state, watch.cause, "verified", -gain(watch.whole), watch.champion)


def roll_back(state: DeploymentState, watch: Trial, reason: str) -> Iterator[Event]:
    """Back to the old champion, and the episode's end; a candidate on trial against the new one has lost its rival."""
    yield from _overtake(state, watch.challenger)
    yield PromotionRolledBack(
        pipeline=state.pipeline,
        version=watch.champion,
        to=watch.challenger,
        cause=watch.cause,
        reason=reason,
        trial=watch.whole.swapped(),
        generation=state.generation + 1,
        row=state.row,
        label=state.label,
    )
    yield from _close(state, watch.cause, "rolled-back", -gain(watch.whole), watch.challenger)


def _refuse(
    state: DeploymentState, version: Version, reasons: tuple[str, ...], trial: Paired | None
) -> Iterator[Event]:
    yield CandidateRejected(
        pipeline=state.pipeline,
        job=version.job,
        cause=version.cause,
        version=version.id,
        reasons=reasons,
        trial=trial,
        row=state.row,
        label=state.label,
    )
    yield from _close(state, version.cause, "refused", gain(trial) if trial else 0.0, None)


def _on_suppressed(state: DeploymentState, event: TrainingSuppressed, _: Pipeline) -> Iterator[Event]:
    outcome = "harmless" if event.trigger == "inputs" else "refused"
    yield from _close(state, event.cause, outcome, event.gain, None)


def _on_cleared(state: DeploymentState, event: DriftCleared, _: Pipeline) -> Iterator[Event]:
    if any(episode.id == event.episode for episode in state.episodes):
        yield _closed(state, event.episode, "superseded", 0.0, None)


def _on_failed(state: DeploymentState, event: JobFailed, _: Pipeline) -> Iterator[Event]:
    cause = dict(state.causes).get(event.job)
    if event.final and cause is not None:
        yield from _close(state, cause, "failed", 0.0, None)


def _close(state: DeploymentState, cause: str, outcome: Any, number: float, version: str | None) -> Iterator[Event]:
    """An episode ends once its last stage has matured; other causes (growth, schedule) are no episodes."""
    if any(episode.id == cause and episode.final for episode in state.episodes):
        yield _closed(state, cause, outcome, number, version)


def _closed(state: DeploymentState, episode: str, outcome: Any, number: float, version: str | None) -> Event:
    return EpisodeClosed(
        pipeline=state.pipeline,
        episode=episode,
        outcome=outcome,
        gain=number,
        version=version,
        row=state.row,
        label=state.label,
    )


DECISIONS: dict[type[Event], Callable[[DeploymentState, Any, Pipeline], Iterator[Event]]] = {
    TrainingCompleted: _on_completed,
    CandidatePromoted: _on_promoted,
    EvaluationCompleted: _on_evaluated,
    TrainingSuppressed: _on_suppressed,
    JobFailed: _on_failed,
    DriftCleared: _on_cleared,
}
