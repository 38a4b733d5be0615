"""The plug-in detector that a pipeline names. It alarms instead of the built-in test of what it watches.

It makes no promise and tells no evidence, so there is no suspicion: the change is where it says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from services.drift_detection.detectors import Detector, InputDetector, LossDetector, make_detector
from services.drift_detection.episodes import Evidence
from services.drift_detection.state import Counted, DriftState
from shared.domain.baseline import Baseline
from shared.domain.counts import FeatureProfile
from shared.domain.pipeline import Pipeline
from shared.domain.profile import Profile
from shared.runtime.codec import decode, encode


def plug_in(pipeline: Pipeline) -> Detector | None:
    """DetectorError if the pipeline names one that there is not."""
    return None if pipeline.drift.detector is None else make_detector(pipeline.drift.detector)


def judge_losses(state: DriftState, step: Counted, detector: LossDetector[Any]) -> tuple[DriftState, Evidence]:
    """One step of labelled losses of the version in service."""
    memory, alarms = detector.update_many(_memory(state, detector), step.losses)
    place = (step.serving, step.label)
    return _told(state, detector, memory, bool(alarms), step.label, step.row, place)


def judge_inputs(
    state: DriftState, epoch: Profile, baseline: Baseline, detector: InputDetector[Any], lanes: int
) -> tuple[DriftState, Evidence]:
    """One sound epoch against the training rows. What it shows began within it, at the latest."""
    memory, alarm = detector.update(_memory(state, detector), _counts(baseline.features), _counts(epoch.features))
    since = epoch.first * lanes
    place = (epoch.generation, epoch.epoch)
    return _told(state, detector, memory, alarm, max(0, since - state.lost), since, place)


def forget(state: DriftState, pipeline: Pipeline, watched: Literal["loss", "inputs"]) -> DriftState:
    """Starts a detector of ``watched`` anew; what another one remembers still holds."""
    detector = plug_in(pipeline)
    return replace(state, plug_in=b"") if detector is not None and detector.watches == watched else state


def _memory(state: DriftState, detector: Detector) -> Any:
    start = detector.start()
    return decode(type(start), state.plug_in) if state.plug_in else start


def _told(
    state: DriftState,
    detector: Detector,
    memory: Any,
    alarm: bool,
    label: int,
    row: int,
    place: tuple[str | int | None, ...],
) -> tuple[DriftState, Evidence]:
    evidence = Evidence("detector", detector.name, alarm, 0.0, 1.0, label, row, place=place)
    return replace(state, plug_in=encode(memory)), evidence


def _counts(features: tuple[FeatureProfile, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(feature.counts for feature in features)
