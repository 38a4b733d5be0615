"""Requests as events: ids from causes, rows frozen as offset ranges."""

from __future__ import annotations

from services.training.choices import PAST, PRESENT
from services.training.marks import freeze
from services.training.state import Comparison, TrainingState
from shared.domain.pipeline import Pipeline
from shared.events.base import derive_id
from shared.events.training import EvaluationRequested, ProbeRequested, TrainingRequested, Trigger, Window


def training_request(
    state: TrainingState,
    pipeline: Pipeline,
    cause: str,
    trigger: Trigger,
    stage: int,
    window: Window,
    since: int | None = None,
) -> TrainingRequested:
    """A candidate on the window's rows up to now. ``since``: first labelled row of the present, after a drift."""
    policy = pipeline.retraining
    first = _first_row(state, pipeline, window, since)
    return TrainingRequested(
        pipeline=state.pipeline,
        job=derive_id("job", state.pipeline, cause, stage, "training"),
        cause=cause,
        trigger=trigger,
        stage=stage,
        window=window,
        since_label=first if since is None else since,
        data=freeze(state.marks, first, _end(state, pipeline, trigger), state.excluded),
        half_life=None if policy.half_life is None or window == "last" else int(policy.half_life * pipeline.window),
        seed=pipeline.seed,
        file=state.file,
        row=state.row,
        label=state.label,
    )


def probe_request(
    state: TrainingState, pipeline: Pipeline, cause: str, trigger: Trigger, stage: int, since: int | None, split: int
) -> ProbeRequested:
    """Try fresh models before one is trained; with a change at ``since``, with and without the rows before it."""
    policy = pipeline.retraining
    choose = since is not None and policy.choose_window
    return ProbeRequested(
        pipeline=state.pipeline,
        job=derive_id("job", state.pipeline, cause, stage, "probe"),
        cause=cause,
        trigger=trigger,
        stage=stage,
        champion=state.champion or "",
        windows=(PAST, PRESENT) if choose else (PAST,),
        since_label=since if since is not None else 0,
        split_label=split,
        data=freeze(state.marks, _first_row(state, pipeline, PAST, None), state.label, state.excluded),
        half_life=None if policy.half_life is None else int(policy.half_life * pipeline.window),
        seed=pipeline.seed,
        file=state.file,
        row=state.row,
        label=state.label,
    )


def evaluation_request(state: TrainingState, comparison: Comparison, first: int) -> EvaluationRequested:
    """Score both versions on the rows since the last checkpoint."""
    return EvaluationRequested(
        pipeline=state.pipeline,
        job=derive_id("job", state.pipeline, comparison.champion, comparison.challenger, state.label, "evaluation"),
        cause=comparison.cause,
        champion=comparison.champion,
        challengers=(comparison.challenger,),
        data=freeze(state.marks, first, state.label, state.excluded),
        file=state.file,
        row=state.row,
        label=state.label,
    )


def _first_row(state: TrainingState, pipeline: Pipeline, window: Window, since: int | None) -> int:
    memory = state.label - int(pipeline.retraining.memory * pipeline.window)
    if state.champion is None:
        return max(0, memory)
    if window == "last":
        return max(0, state.label - (pipeline.retraining.last or pipeline.window))
    return max(since if window == PRESENT and since is not None else 0, memory, 0)


def _end(state: TrainingState, pipeline: Pipeline, trigger: Trigger) -> int:
    """The first training takes exactly the window, however many labels one message brought; its repeat takes all."""
    return pipeline.window if trigger == "bootstrap" and state.retry_at is None else state.label
