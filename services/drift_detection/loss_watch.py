"""One step of labelled losses: the test of the version in service, plug-in detectors, and maturing stages."""

from __future__ import annotations

import math
from dataclasses import replace

from services.drift_detection.assembly import Slice
from services.drift_detection.data_faults import is_spoilt, shows_fault
from services.drift_detection.detectors import LossDetector
from services.drift_detection.episodes import Evidence, mature, weigh
from services.drift_detection.performance.detector import begin, update
from services.drift_detection.plug_in import forget, judge_losses, plug_in
from services.drift_detection.state import Counted, DriftState
from shared.domain.baseline import decode_baseline
from shared.domain.pipeline import Pipeline
from shared.domain.quality import Quality, merge_versions
from shared.events.base import Event
from shared.events.prediction import PerformanceCounted
from shared.runtime.core import Read

Said = tuple[DriftState, tuple[Event, ...]]
VERSIONS_KEPT = 8


def step_slice(counted: PerformanceCounted, pipeline: Pipeline) -> Slice[Counted]:
    """Performance counts as a lane's slice of their step."""
    steps = pipeline.steps
    part = Counted(
        row=counted.row * pipeline.lanes,
        joined=counted.joined_row * pipeline.lanes,
        label=steps.end(counted.first) * pipeline.lanes,
        serving=counted.serving,
        versions=tuple(sorted(counted.versions.items())),
        losses=counted.losses,
    )
    whole = counted.last == steps.end(counted.first)
    return Slice(counted.lane, steps.number(counted.first), counted.first, counted.last, whole, part)


def merge_steps(left: Counted, right: Counted) -> Counted:
    """Two slices of one step; the later one says who serves."""
    versions = merge_versions(dict(left.versions), dict(right.versions))
    return Counted(
        max(left.row, right.row),
        max(left.joined, right.joined),
        left.label,
        right.serving,
        tuple(sorted(versions.items())),
        (*left.losses, *right.losses),
    )


def on_step(state: DriftState, step: Counted, pipeline: Pipeline, read: Read) -> Said:
    """Judge one closed step."""
    lost = max(0, step.joined - step.label)
    state = replace(_serve(state, step.serving, pipeline), row=max(state.row, step.row), label=step.label, lost=lost)
    evidence = None
    if step.serving is not None and not is_spoilt(state, step.joined, pipeline.drift.inputs.epoch, pipeline.lanes):
        state, evidence = _judge(state, step, pipeline)
    said: tuple[Event, ...] = ()
    if evidence is not None:
        state, said = weigh(state, evidence)
    judged = [episode for episode in state.episodes if episode.origin != "inputs"]
    state, matured = (state, ()) if _looks_broken(state, pipeline, read) else mature(state, pipeline)
    if any(episode.detected and state.episode(episode.origin) is None for episode in judged):
        # The answer is on its way: whoever serves now is measured by its own next labels.
        state = replace(state, loss=begin(state.loss.version))
    return state, (*said, *matured)


def _looks_broken(state: DriftState, pipeline: Pipeline, read: Read) -> bool:
    if not state.baseline or not any(episode.detected for episode in state.episodes):
        return False
    return shows_fault(state, read(state.baseline, decode_baseline), pipeline)


def _serve(state: DriftState, version: str | None, pipeline: Pipeline) -> DriftState:
    """A new version starts a new test. It inherits the bound, unless it is an old one that came back."""
    if version is None or version == state.loss.version:
        return state
    bound = None if version in state.versions else state.loss.bound
    versions = (*(v for v in state.versions if v != version), version)[-VERSIONS_KEPT:]
    return forget(replace(state, loss=begin(version, bound), versions=versions), pipeline, "loss")


def _judge(state: DriftState, step: Counted, pipeline: Pipeline) -> tuple[DriftState, Evidence | None]:
    detector = plug_in(pipeline)
    if detector is None:
        return _sequential(state, step, pipeline)
    # One that watches the inputs alarms in place of this test: see `inputs_watch`.
    return judge_losses(state, step, detector) if isinstance(detector, LossDetector) else (state, None)


def _sequential(state: DriftState, step: Counted, pipeline: Pipeline) -> tuple[DriftState, Evidence]:
    policy = pipeline.drift.performance
    before = state.loss.bound
    loss, dispersion = update(
        state.loss,
        state.dispersion,
        dict(step.versions).get(step.serving or "", Quality()),
        step.label,
        pipeline.window // 2,
        1.0 if policy.objective is None else policy.objective,
        policy.tolerance,
    )
    state = replace(state, loss=loss, dispersion=dispersion)
    threshold = math.log(policy.false_alarm_labels)
    return state, Evidence(
        origin="performance",
        detector="losses",
        alarm=loss.evidence >= threshold,
        evidence=loss.evidence,
        threshold=threshold,
        since_label=loss.since,
        since_row=loss.since + state.lost,
        loss_before=before,
        loss_after=dict(step.versions).get(step.serving or "", Quality()).mean_loss,
        place=(step.serving, step.label),
    )
