"""Episodes: suspicion, detection, maturing, and the end of either. At most one is open per origin."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from services.drift_detection.attribution import await_features, features_of
from services.drift_detection.state import DriftState, OpenEpisode
from shared.domain.pipeline import Pipeline
from shared.events.base import Event, derive_id
from shared.events.drift_detection import (
    DriftCleared,
    DriftDetected,
    DriftMatured,
    DriftSuspected,
    Origin,
)

SUSPECT, CLEAR = 0.5, 0.25
"""Shares of the threshold's logarithm at which suspicion begins and ends."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A test's word: natural logs of evidence and threshold, and since when (label and row positions).

    ``place`` names the epoch or step by its own topic alone: a repeat may meet the other topic further on.
    """

    origin: Origin
    detector: str
    alarm: bool
    evidence: float
    threshold: float
    since_label: int
    since_row: int
    loss_before: float | None = None
    loss_after: float | None = None
    place: tuple[str | int | None, ...] = ()


Said = tuple[DriftState, tuple[Event, ...]]


def weigh(state: DriftState, evidence: Evidence) -> Said:
    """Open, raise or clear the origin's episode, as the evidence asks. One drift is one episode: the loss's."""
    episode = state.episode(evidence.origin)
    if (episode is not None and episode.detected) or (evidence.origin == "inputs" and _loss_drifts(state)):
        return state, ()
    said: list[Event] = []
    if episode is None and (evidence.alarm or evidence.evidence >= SUSPECT * evidence.threshold):
        name = derive_id("episode", state.pipeline, evidence.origin, *evidence.place)
        episode = OpenEpisode(name, evidence.origin, since_row=evidence.since_row)
        said.append(_suspected(state, episode, evidence))
    if episode is None:
        return state, ()
    if evidence.alarm:
        episode = replace(episode, detected=True, since_label=evidence.since_label, since_row=evidence.since_row)
        state, joined = _join_inputs(state, episode)
        said += [*joined, _detected(state, episode, evidence)]
        state = await_features(state, episode)
    elif evidence.evidence < CLEAR * evidence.threshold:
        return _without(state, episode), (_cleared(state, episode, "the evidence faded"),)
    return _with(state, episode), tuple(said)


def _loss_drifts(state: DriftState) -> bool:
    return any(episode.detected and episode.origin != "inputs" for episode in state.episodes)


def _join_inputs(state: DriftState, episode: OpenEpisode) -> tuple[DriftState, list[Event]]:
    """The inputs had moved already; now the loss does: the loss's episode answers for both."""
    inputs = state.episode("inputs")
    if episode.origin == "inputs" or inputs is None:
        return state, []
    return _without(state, inputs), [_cleared(state, inputs, f"the loss drifted too: see episode {episode.id}")]


def explain_away(state: DriftState, row: int, why: str) -> Said:
    """A data fault accounts for all that seemed to drift from ``row`` on."""
    said: list[Event] = []
    for episode in state.episodes:
        if episode.since_row >= row:
            state = _without(state, episode)
            said.append(_cleared(state, episode, why))
    if state.unattributed is not None and state.unattributed.since_row >= row:
        state = replace(state, unattributed=None)
    return state, tuple(said)


def mature(state: DriftState, pipeline: Pipeline) -> Said:
    """Stages of detected episodes whose labelled rows have come in."""
    said: list[Event] = []
    for episode in state.episodes:
        if episode.detected:
            state, events = _mature(state, episode, pipeline)
            said += events
    return state, tuple(said)


def _mature(state: DriftState, episode: OpenEpisode, pipeline: Pipeline) -> tuple[DriftState, list[Event]]:
    stages = pipeline.retraining.stages
    due = [n for n, stage in enumerate(stages) if state.label >= episode.since_label + stage * pipeline.window]
    if not due or due[-1] < episode.stage:
        return state, []
    # Stages that came due together are one: the later one supersedes the earlier.
    stage, final = due[-1], due[-1] == len(stages) - 1
    said = DriftMatured(
        pipeline=state.pipeline,
        episode=episode.id,
        stage=stage,
        final=final,
        row=state.row,
        label=state.label,
        since_label=episode.since_label,
    )
    state = _without(state, episode) if final else _with(state, replace(episode, stage=stage + 1))
    return state, [said]


def _with(state: DriftState, episode: OpenEpisode) -> DriftState:
    return replace(state, episodes=(*(e for e in state.episodes if e.id != episode.id), episode))


def _without(state: DriftState, episode: OpenEpisode) -> DriftState:
    return replace(state, episodes=tuple(e for e in state.episodes if e.id != episode.id))


def _suspected(state: DriftState, episode: OpenEpisode, evidence: Evidence) -> Event:
    return DriftSuspected(
        pipeline=state.pipeline,
        episode=episode.id,
        origin=evidence.origin,
        generation=state.generation,
        row=state.row,
        label=state.label,
        evidence=evidence.evidence / math.log(10),
        threshold=evidence.threshold / math.log(10),
    )


def _detected(state: DriftState, episode: OpenEpisode, evidence: Evidence) -> Event:
    return DriftDetected(
        pipeline=state.pipeline,
        episode=episode.id,
        origin=evidence.origin,
        detector=evidence.detector,
        generation=state.generation,
        version=state.loss.version,
        row=state.row,
        label=state.label,
        since_row=evidence.since_row,
        since_label=evidence.since_label,
        evidence=evidence.evidence / math.log(10),
        threshold=evidence.threshold / math.log(10),
        loss_before=evidence.loss_before,
        loss_after=evidence.loss_after,
        features=tuple(features_of(state.features)),
        warnings=state.warnings,
    )


def _cleared(state: DriftState, episode: OpenEpisode, reason: str) -> Event:
    return DriftCleared(pipeline=state.pipeline, episode=episode.id, row=state.row, label=state.label, reason=reason)
