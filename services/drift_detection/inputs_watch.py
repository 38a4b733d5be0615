"""One epoch of inputs: triage for data faults first, then the count test, then the episode."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from services.drift_detection.assembly import Slice
from services.drift_detection.attribution import attribute, complete
from services.drift_detection.data_faults import shows_fault, triage
from services.drift_detection.detectors import InputDetector
from services.drift_detection.episodes import Evidence, explain_away, weigh
from services.drift_detection.inputs.detector import begin, update
from services.drift_detection.inputs.swaps import suspected_swaps
from services.drift_detection.inputs.verdict import InputVerdict
from services.drift_detection.performance.detector import begin as begin_loss
from services.drift_detection.plug_in import forget, judge_inputs, plug_in
from services.drift_detection.state import DriftState
from services.drift_detection.watched import watched
from shared.domain.baseline import Baseline, decode_baseline
from shared.domain.pipeline import InputDriftPolicy, Pipeline
from shared.domain.profile import Profile
from shared.events.base import Event
from shared.events.drift_detection import DataFaultFound
from shared.runtime.core import Read

Said = tuple[DriftState, tuple[Event, ...]]


def profile_slice(profile: Profile, pipeline: Pipeline) -> Slice[Profile]:
    """A profile as a lane's slice of its epoch."""
    whole = profile.last * pipeline.lanes >= (profile.epoch + 1) * pipeline.drift.inputs.epoch
    return Slice(profile.lane or 0, profile.epoch, profile.first, profile.last, whole, profile)


def on_epoch(state: DriftState, epoch: Profile, baseline_digest: str, pipeline: Pipeline, read: Read) -> Said:
    """Judge one closed epoch."""
    baseline = replace(read(baseline_digest, decode_baseline), generation=epoch.generation)
    epoch, baseline = watched(epoch, baseline, pipeline.contract)
    state = replace(state, row=max(state.row, epoch.last * pipeline.lanes))
    state, said, sound = _triage(state, epoch, baseline, pipeline)
    if not sound:
        return state, said
    detector = plug_in(pipeline)
    if isinstance(detector, InputDetector):
        state, more = _by_plug_in(state, epoch, baseline, pipeline, detector)
    else:
        state, more = _by_counts(state, epoch, baseline, pipeline)
    return state, (*said, *more)


def end_generation(state: DriftState, pipeline: Pipeline, read: Read) -> Said:
    """The answer to an alarm is quick: where it overtakes the epoch that would say which inputs moved, the rows that
    this epoch has so far must do. Nothing else is made of them."""
    if state.unattributed is None or not state.baseline:
        return state, ()
    baseline = replace(read(state.baseline, decode_baseline), generation=state.generation)
    if shows_fault(state, baseline, pipeline):
        return state, ()
    ready = True
    for _, part in state.epochs.open:
        state, verdict = _count(state, *watched(part, baseline, pipeline.contract), pipeline.drift.inputs)
        ready = verdict.ready
    return complete(state) if ready else (state, ())


def _by_counts(state: DriftState, epoch: Profile, baseline: Baseline, pipeline: Pipeline) -> Said:
    if state.silent:
        return _after_the_alarm(state, epoch, baseline, pipeline)
    state, verdict = _count(state, epoch, baseline, pipeline.drift.inputs)
    state = replace(state, input_evidence=verdict.evidence - verdict.threshold)
    if not verdict.ready:
        return state, ()
    state, told = attribute(state, epoch, pipeline.lanes)
    state, said = weigh(state, _evidence(state, epoch, verdict, pipeline))
    return replace(state, silent=verdict.alarm), (*told, *said)


def _after_the_alarm(state: DriftState, epoch: Profile, baseline: Baseline, pipeline: Pipeline) -> Said:
    """The test has spoken, of an epoch that a change of the losses fell into: a later one may show the change whole."""
    if state.unattributed is None:
        return state, ()
    counted, _ = _count(state, epoch, baseline, pipeline.drift.inputs)
    after, said = attribute(counted, epoch, pipeline.lanes)
    return replace(state, inputs=counted.inputs, unattributed=after.unattributed), said


def _by_plug_in(
    state: DriftState, epoch: Profile, baseline: Baseline, pipeline: Pipeline, detector: InputDetector[Any]
) -> Said:
    """Counts name the features; the alarm, one per generation, is the detector's alone."""
    state, verdict = _count(state, epoch, baseline, pipeline.drift.inputs)
    state, told = attribute(state, epoch, pipeline.lanes) if verdict.ready else (state, ())
    if state.silent:
        return state, told
    state, evidence = judge_inputs(state, epoch, baseline, detector, pipeline.lanes)
    state, said = weigh(state, evidence)
    # An alarm that an open episode kept from being said is raised again by the next epoch.
    return replace(state, silent=bool(said)), (*told, *said)


def _count(
    state: DriftState, epoch: Profile, baseline: Baseline, policy: InputDriftPolicy
) -> tuple[DriftState, InputVerdict]:
    inputs = state.inputs or begin(state.pipeline, policy, baseline)
    inputs, verdict = update(inputs, epoch, policy, baseline)
    warnings = _warnings(epoch, baseline) if verdict.ready and verdict.features else ()
    return replace(state, inputs=inputs, features=verdict.features, warnings=warnings), verdict


def _triage(state: DriftState, epoch: Profile, baseline: Baseline, pipeline: Pipeline) -> tuple[*Said, bool]:
    """Faults first. A new one takes back what seemed to drift since the epoch before, in which it may have begun."""
    margin = pipeline.drift.inputs.epoch // pipeline.lanes
    state, said, sound = triage(state, epoch, baseline, pipeline.drift.faults, margin, pipeline.lanes)
    found = [event for event in said if isinstance(event, DataFaultFound)]
    if not found:
        return state, said, sound
    why = f"a data fault explains it: {found[0].kind} of {found[0].column or 'the stream'}"
    state, cleared = explain_away(state, (epoch.first - margin) * pipeline.lanes, why)
    if cleared:
        # All tests have taken in the beginning of the fault: what they hold is no evidence any more.
        state = forget(state, pipeline, "inputs")
        state = replace(state, inputs=None, silent=False, loss=begin_loss(state.loss.version, state.loss.bound))
    return state, (*cleared, *said), sound


def _evidence(state: DriftState, epoch: Profile, verdict: InputVerdict, pipeline: Pipeline) -> Evidence:
    since_row = state.row if verdict.change_epoch is None else verdict.change_epoch * pipeline.drift.inputs.epoch
    return Evidence(
        origin="inputs",
        detector="counts",
        alarm=verdict.alarm,
        evidence=verdict.evidence * math.log(10),
        threshold=verdict.threshold * math.log(10),
        since_label=max(0, since_row - state.lost),
        since_row=since_row,
        place=(epoch.generation, epoch.epoch),
    )


def _warnings(epoch: Profile, baseline: Baseline) -> tuple[str, ...]:
    return tuple(
        f"columns {swap.first!r} and {swap.second!r} look swapped" for swap in suspected_swaps(epoch, baseline)
    )
