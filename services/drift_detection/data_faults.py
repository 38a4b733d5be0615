"""Data faults over time: found in one epoch, cleared after enough clean ones or by a person."""

from __future__ import annotations

from dataclasses import replace

from services.drift_detection.inputs.faults import Fault, faults_of
from services.drift_detection.state import DriftState, OpenFault
from services.drift_detection.watched import watched
from shared.domain.baseline import Baseline
from shared.domain.pipeline import FaultPolicy, Pipeline
from shared.domain.profile import Profile
from shared.events.base import Event, derive_id
from shared.events.commands import ClearFault
from shared.events.deployment import CommandRefused
from shared.events.drift_detection import DataFaultCleared, DataFaultFound

SPOILT_KEPT = 8
COMMANDS_KEPT = 8


def triage(
    state: DriftState, epoch: Profile, baseline: Baseline, policy: FaultPolicy, margin: int, lanes: int
) -> tuple[DriftState, tuple[Event, ...], bool]:
    """The state, what there is to say, and whether this epoch is sound enough for the drift test.

    ``margin``: a lane's rows per epoch.
    """
    found: dict[tuple[str, str], Fault] = {
        (fault.kind, fault.column): fault for fault in faults_of(epoch, baseline, policy)
    }
    kept, said = [], list[Event]()
    for fault in state.faults:
        if found.pop((fault.kind, fault.column), None) is not None:
            kept.append(replace(fault, clean=0, last=epoch.last))
        elif fault.clean + 1 >= policy.clean_epochs:
            over = _cleared(state, fault, margin, f"{policy.clean_epochs} clean epochs")
            state = _spoil(state, over, lanes)
            said.append(over)
        else:
            kept.append(replace(fault, clean=fault.clean + 1))
    for new in found.values():
        opened, event = _open(state, epoch, new)
        kept.append(opened)
        said.append(event)
    sound = not any(fault.clean == 0 for fault in kept)
    return replace(state, faults=tuple(kept)), tuple(said), sound


def clear(state: DriftState, command: ClearFault, pipeline: Pipeline | None) -> tuple[DriftState, Event | None]:
    """Ends a fault because a person says so; what the next epochs still show is a fault of its own.

    ``pipeline`` is None before the first profile.  A command that was carried out and comes again says nothing.
    """
    fault = next((fault for fault in state.faults if fault.id == command.fault), None)
    if command.command in state.carried_out:
        return state, None
    if fault is None or pipeline is None:
        return state, _refused(state, command)
    over = _cleared(state, fault, pipeline.drift.inputs.epoch // pipeline.lanes, f"command {command.command}")
    state = replace(
        _spoil(state, over, pipeline.lanes),
        faults=tuple(other for other in state.faults if other is not fault),
        carried_out=(*state.carried_out, command.command)[-COMMANDS_KEPT:],
    )
    return state, over


def shows_fault(state: DriftState, baseline: Baseline, pipeline: Pipeline) -> bool:
    """Whether an epoch that is still open shows a fault already: the answer to a drift must not overtake the triage."""
    parts = (watched(part, baseline, pipeline.contract) for _, part in state.epochs.open)
    return any(faults_of(*part, pipeline.drift.faults) for part in parts)


def is_spoilt(state: DriftState, row: int, epoch: int, lanes: int) -> bool:
    """Whether a received row (counted over all lanes, as ``epoch`` is) lies under a data fault."""
    return any(row > fault.first * lanes - epoch for fault in state.faults) or any(
        first < row <= last for first, last in state.spoilt
    )


def _cleared(state: DriftState, fault: OpenFault, margin: int, by: str) -> DataFaultCleared:
    """The rows to leave out: the bad epochs and one on each side, for a fault begins and ends within an epoch."""
    return DataFaultCleared(
        pipeline=state.pipeline,
        fault=fault.id,
        column=fault.column,
        first=max(0, fault.first - margin),
        last=fault.last + margin,
        by=by,
    )


def _spoil(state: DriftState, over: DataFaultCleared, lanes: int) -> DriftState:
    """Keeps the rows of a fault that is over: their labels may still come."""
    return replace(state, spoilt=(*state.spoilt, (over.first * lanes, over.last * lanes))[-SPOILT_KEPT:])


def _refused(state: DriftState, command: ClearFault) -> Event:
    known = ", ".join(f"{fault.id} ({fault.kind} of {fault.column or 'the stream'})" for fault in state.faults)
    reason = f"no data fault {command.fault} is open; open: {known or 'none'}"
    return CommandRefused(pipeline=state.pipeline, command=command.command, reason=reason)


def _open(state: DriftState, epoch: Profile, fault: Fault) -> tuple[OpenFault, Event]:
    name = derive_id("fault", state.pipeline, fault.kind, fault.column, epoch.epoch, epoch.generation)
    event = DataFaultFound(
        pipeline=state.pipeline,
        fault=name,
        kind=fault.kind,
        column=fault.column,
        share=fault.share,
        detail=fault.detail,
        generation=epoch.generation,
        epoch=epoch.epoch,
        first=epoch.first,
        last=epoch.last,
    )
    return OpenFault(name, fault.kind, fault.column, epoch.first, epoch.last), event
