"""What is due as labelled rows come in: the first training, volume, checks, and comparisons' checkpoints."""

from __future__ import annotations

from dataclasses import replace

from services.training.brakes import held_back
from services.training.requests import evaluation_request, probe_request, training_request
from services.training.state import CHECKPOINTS, Comparison, TrainingState
from shared.domain.pipeline import Pipeline
from shared.events.base import Event, derive_id
from shared.events.training import TrainingSuppressed, Trigger, Window

HOUR = 3_600_000
"""Milliseconds."""


def due(state: TrainingState, pipeline: Pipeline) -> tuple[TrainingState, tuple[Event, ...]]:
    """The state with its clocks moved on, and the requests that this moment asks for."""
    said: list[Event] = []
    for rule in (_first_training, _volume, _growth, _schedule, _check, _checkpoint):
        state, events = rule(state, pipeline)
        said += events
    return state, tuple(said)


def _first_training(state: TrainingState, pipeline: Pipeline) -> tuple[TrainingState, list[Event]]:
    if state.bootstrapped or state.paused or state.label < max(pipeline.window, state.retry_at or 0):
        return state, []
    again = () if state.retry_at is None else (state.retry_at,)
    cause = derive_id("bootstrap", state.pipeline, state.file, *again)
    return replace(state, bootstrapped=True), [training_request(state, pipeline, cause, "bootstrap", 0, "last")]


def _volume(state: TrainingState, pipeline: Pipeline) -> tuple[TrainingState, list[Event]]:
    every = pipeline.retraining.every
    if every is None or state.champion is None:
        return state, []
    if state.next_volume is None or state.label < state.next_volume:
        return (state if state.next_volume else replace(state, next_volume=pipeline.window + every)), []
    cause = derive_id("volume", state.pipeline, state.next_volume)
    return replace(state, next_volume=state.next_volume + every), _train(state, pipeline, cause, "volume")


def _growth(state: TrainingState, pipeline: Pipeline) -> tuple[TrainingState, list[Event]]:
    """As many trainings as the logarithm of the stream's length."""
    factor = pipeline.retraining.growth
    if factor is None or state.champion is None or not state.history:
        return state, []
    target = max(int(state.history[-1] * factor), state.next_growth or 0)
    if state.label < target:
        return state, []
    cause = derive_id("growth", state.pipeline, target)
    return replace(state, next_growth=int(state.label * factor)), _train(state, pipeline, cause, "growth")


def _schedule(state: TrainingState, pipeline: Pipeline) -> tuple[TrainingState, list[Event]]:
    hours = pipeline.retraining.schedule_hours
    if hours is None or state.champion is None or state.time is None:
        return state, []
    following = replace(state, next_schedule=state.time + int(hours * HOUR))
    if state.next_schedule is None or state.time < state.next_schedule:
        return (state if state.next_schedule else following), []
    cause = derive_id("schedule", state.pipeline, state.next_schedule)
    return following, _train(state, pipeline, cause, "schedule")


def _train(state: TrainingState, pipeline: Pipeline, cause: str, trigger: Trigger) -> list[Event]:
    window: Window = "last" if pipeline.retraining.last else "past-and-present"
    stopped = braked(state, pipeline, cause, trigger, 0)
    return list(stopped) or [training_request(state, pipeline, cause, trigger, 0, window)]


def _check(state: TrainingState, pipeline: Pipeline) -> tuple[TrainingState, list[Event]]:
    """A detector compares a model with its own past; only a fresh one shows that better has become possible."""
    policy = pipeline.retraining
    waits = state.next_check is None or state.label < state.next_check
    if policy.check_after is None or state.champion is None or waits or state.changes or not state.idle:
        return state, []
    cause = derive_id("check", state.pipeline, state.label)
    stopped = braked(state, pipeline, cause, "check", 0)
    if stopped:
        return replace(state, next_check=state.label + pipeline.window // 4), list(stopped)
    again = replace(state, next_check=state.check_from(state.label, int(policy.check_again * pipeline.window)))
    split, since = _split(state, pipeline), state.last_change
    if since is not None and split - since < policy.stages[0] * pipeline.window:
        since = None
    return again, [probe_request(state, pipeline, cause, "check", 0, since, split)]


def _split(state: TrainingState, pipeline: Pipeline) -> int:
    """Probes are scored on the newest half window, or on half of a present that is shorter than a window."""
    return state.label - min(pipeline.window, state.present(state.label)) // 2


def _checkpoint(state: TrainingState, pipeline: Pipeline) -> tuple[TrainingState, list[Event]]:
    """One evaluation at a time: where labels come faster than jobs are done, the next one looks at more rows."""
    comparison = state.comparison
    if comparison is None or state.evaluations or state.label < _next_look(comparison):
        return state, []
    cuts = [known.cut for known in state.known if known.version in (comparison.champion, comparison.challenger)]
    first = max(*cuts, comparison.seen)
    if first >= state.label:
        return state, []
    moved = replace(comparison, seen=state.label, next_label=state.label + max(1, pipeline.window // CHECKPOINTS))
    return replace(state, comparison=moved), [evaluation_request(state, comparison, first)]


def _next_look(comparison: Comparison) -> int:
    """The next checkpoint, or the end if that comes first; past the end (an evaluation failed) at the same pace."""
    over = comparison.seen >= comparison.until
    return comparison.next_label if over else min(comparison.next_label, comparison.until)


def braked(state: TrainingState, pipeline: Pipeline, cause: str, trigger: Trigger, stage: int) -> tuple[Event, ...]:
    """The suppression, if a brake holds."""
    reason = held_back(state, pipeline)
    return () if reason is None else (suppression(state, cause, trigger, stage, reason),)


def suppression(
    state: TrainingState, cause: str, trigger: Trigger, stage: int, reason: str, gain: float = 0.0
) -> TrainingSuppressed:
    return TrainingSuppressed(
        pipeline=state.pipeline,
        cause=cause,
        trigger=trigger,
        stage=stage,
        reason=reason,
        gain=gain,
        row=state.row,
        label=state.label,
    )
