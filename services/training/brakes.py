"""What holds a training back. Each brake is a rule over the state; the first one that holds names itself."""

from __future__ import annotations

from services.training.state import TrainingState
from shared.domain.pipeline import Pipeline


def held_back(state: TrainingState, pipeline: Pipeline) -> str | None:
    """Why no training may start now, or None."""
    policy = pipeline.retraining
    if state.paused:
        return "the pipeline is paused: `resume` it to train again"
    if state.faults:
        return f"a data fault is open ({state.faults[0][1]}): nothing is learnt from broken data"
    if state.label < policy.minimum_labels:
        return f"{state.label} labelled rows are fewer than minimum_labels ({policy.minimum_labels})"
    if policy.cooldown and state.history and state.label < state.history[-1] + policy.cooldown:
        return f"cooldown: the last training was {state.label - state.history[-1]} labelled rows ago"
    if policy.budget is not None:
        recent = [label for label in state.history if label > state.label - policy.budget.labels]
        if len(recent) >= policy.budget.trainings:
            return f"budget: {len(recent)} trainings within {policy.budget.labels} labelled rows"
    return None
