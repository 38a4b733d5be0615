"""One epoch of inputs: triage for data faults first, then the count test, then the episode."""

from __future__ import annotations

import math
from dataclasses import replace

from services.drift_detection.assembly import Slice
from services.drift_detection.data_faults import triage
from services.drift_detection.episodes import Evidence, explain_away, weigh
from services.drift_detection.inputs.detector import begin, update
from services.drift_detection.inputs.swaps import suspected_swaps
from services.drift_detection.inputs.verdict import InputVerdict
from services.drift_detection.performance.detector import begin as begin_loss
from services.drift_detection.state import DriftState
from shared.domain.baseline import Baseline, decode_baseline
from shared.domain.pipeline import Pipeline
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
    state = replace(state, row=max(state.row, epoch.last * pipeline.lanes))
    state, said, sound = _triage(state, epoch, baseline, pipeline)
    if not sound or state.silent:
        return state, said
    policy = pipeline.drift.inputs
    inputs = state.inputs or begin(state.pipeline, policy, baseline)
    inputs, verdict = update(inputs, epoch, policy, baseline)
    state = replace(
        state, inputs=inputs, input_evidence=verdict.evidence - verdict.threshold, features=verdict.features
    )
    if not verdict.ready:
        return state, said
    state = replace(state, warnings=_warnings(epoch, baseline) if verdict.features else ())
    state, more = weigh(state, _evidence(state, epoch, verdict, pipeline))
    return replace(state, silent=verdict.alarm), (*said, *more)


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
        # Both tests have taken in the beginning of the fault: what they hold is no evidence any more.
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
