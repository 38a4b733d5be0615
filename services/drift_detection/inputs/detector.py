"""Input drift for one generation of one pipeline, whichever unit is exchangeable."""

from __future__ import annotations

from services.drift_detection.inputs.blocks import BlockState, begin_blocks, update_blocks
from services.drift_detection.inputs.exchangeability import Unit, choose_unit
from services.drift_detection.inputs.records import RecordState, begin_records, update_records
from services.drift_detection.inputs.verdict import InputVerdict
from shared.domain.baseline import Baseline
from shared.domain.pipeline import InputDriftPolicy
from shared.domain.profile import Profile

InputState = RecordState | BlockState


def unit_of(policy: InputDriftPolicy, baseline: Baseline) -> Unit:
    """What the policy names, or what the self-check on the baseline chooses."""
    return choose_unit(baseline) if policy.unit == "auto" else policy.unit


def begin(stream: str, policy: InputDriftPolicy, baseline: Baseline) -> InputState:
    """The detector of a new generation. ``stream`` seeds the randomisation: the pipeline's name."""
    unit = unit_of(policy, baseline)
    return begin_records(stream, baseline) if unit == "records" else begin_blocks(stream, baseline)


def update(
    state: InputState, epoch: Profile, policy: InputDriftPolicy, baseline: Baseline, detectors: int = 1
) -> tuple[InputState, InputVerdict]:
    """Add one epoch (or block) and judge; see `evidence` for the promise and for ``detectors``."""
    if isinstance(state, RecordState):
        return update_records(state, epoch, policy, baseline, detectors)
    return update_blocks(state, epoch, policy, baseline, detectors)
