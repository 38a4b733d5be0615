"""Drift detection: profiles and performance counts in; suspicions, alarms, matured stages and data faults out.

It reads no decisions, and of the commands the one that it owns: a person ends a data fault.  A profile of a higher
generation starts a new input test; a new version in service starts a new loss test.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.drift_detection.assembly import Assembly, add
from services.drift_detection.data_faults import clear
from services.drift_detection.inputs_watch import end_generation, on_epoch, profile_slice
from services.drift_detection.loss_watch import merge_steps, on_step, step_slice
from services.drift_detection.plug_in import forget
from services.drift_detection.state import DriftState
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import decode_pipeline
from shared.domain.profile import merge
from shared.events.base import Event
from shared.events.commands import ClearFault
from shared.events.envelope import from_message, to_append
from shared.events.prediction import PerformanceCounted
from shared.events.topics import COMMANDS, LEDGER, PERFORMANCE, PROFILES
from shared.events.validation import ProfileTaken
from shared.runtime.core import Input, Message, Read, Step, Unit


class DriftDetection:
    """The core."""

    name = "drift_detection"
    reads = (PROFILES.name, PERFORMANCE.name, COMMANDS.name)
    state_type: Any = DriftState
    per_lane = False

    def initial(self, unit: Unit) -> DriftState:
        return DriftState(unit.pipeline)

    def handle(self, state: DriftState, item: Input, read: Read) -> Step[DriftState]:
        event = from_message(item) if isinstance(item, Message) else None
        if isinstance(event, ProfileTaken):
            state, said = _on_profile(state, event, read)
        elif isinstance(event, PerformanceCounted):
            state, said = _on_performance(state, event, read)
        elif isinstance(event, ClearFault):
            state, said = _on_clear(state, event, read)
        else:
            return Step(state)
        cause = item if isinstance(item, Message) else None
        return Step(
            state,
            tuple(to_append(LEDGER.name, e, cause, correlation=getattr(e, "episode", "")) for e in said),
        )


Said = tuple[DriftState, tuple[Event, ...]]


def _on_profile(state: DriftState, taken: ProfileTaken, read: Read) -> Said:
    if taken.generation < state.generation:
        return state, ()
    pipeline, said = read(taken.file, decode_pipeline), list[Event]()
    if taken.generation > state.generation:
        state, last = end_generation(state, pipeline, read)
        state, said = _new_generation(state, taken.generation, pipeline), [*last]
    state = replace(_of_contract(state, taken.file, pipeline, read), file=taken.file, baseline=taken.baseline)
    epochs, closed = add(state.epochs, profile_slice(taken.profile, pipeline), pipeline.lanes, merge)
    state = replace(state, epochs=epochs)
    for epoch in closed:
        state, events = on_epoch(state, epoch, taken.baseline, pipeline, read)
        said += events
    return state, tuple(said)


def _of_contract(state: DriftState, file: str, pipeline: Pipeline, read: Read) -> DriftState:
    """Of other features than before another test begins: what they have shown so far has no place in it."""
    if not state.file or state.file == file:
        return state
    before, after = read(state.file, decode_pipeline).contract, pipeline.contract
    same = {feature.name for feature in before.features} == {feature.name for feature in after.features}
    return state if same else replace(forget(state, pipeline, "inputs"), inputs=None)


def _new_generation(state: DriftState, generation: int, pipeline: Pipeline) -> DriftState:
    """What the inputs were measured against has changed: nothing seen so far bears on it."""
    return replace(
        forget(state, pipeline, "inputs"),
        generation=generation,
        epochs=Assembly(state.epochs.delivered, state.epochs.passed),
        inputs=None,
        input_evidence=None,
        features=(),
        warnings=(),
        silent=False,
        unattributed=None,
    )


def _on_performance(state: DriftState, counted: PerformanceCounted, read: Read) -> Said:
    pipeline = read(counted.file, decode_pipeline)
    steps, closed = add(state.steps, step_slice(counted, pipeline), pipeline.lanes, merge_steps)
    state, said = replace(state, steps=steps), list[Event]()
    for step in closed:
        state, events = on_step(state, step, pipeline, read)
        said += events
    return state, tuple(said)


def _on_clear(state: DriftState, command: ClearFault, read: Read) -> Said:
    pipeline = read(state.file, decode_pipeline) if state.file else None
    state, said = clear(state, command, pipeline)
    return state, () if said is None else (said,)
