"""Data faults over time: found in one epoch, cleared after enough clean ones."""

from __future__ import annotations

from dataclasses import replace

from services.drift_detection.inputs.faults import Fault, faults_of
from services.drift_detection.state import DriftState, OpenFault
from shared.domain.baseline import Baseline
from shared.domain.pipeline import FaultPolicy
from shared.domain.profile import Profile
from shared.events.base import Event, derive_id
from shared.events.drift_detection import DataFaultCleared, DataFaultFound


SPOILT_KEPT = 8


def triage(
    state: DriftState, epoch: Profile, baseline: Baseline, policy: FaultPolicy, margin: int, lanes: int
) -> tuple[DriftState, tuple[Event, ...], bool]:
    """The state, what there is to say, and whether this epoch is sound enough for the drift test.

    ``margin``: a lane's rows per epoch.
    """
    spoilt = list(state.spoilt)
    found: dict[tuple[str, str], Fault] = {
        (fault.kind, fault.column): fault for fault in faults_of(epoch, baseline, policy)
    }
    kept, said = [], list[Event]()
    for fault in state.faults:
        if found.pop((fault.kind, fault.column), None) is not None:
            kept.append(replace(fault, clean=0, last=epoch.last))
        elif fault.clean + 1 >= policy.clean_epochs:
            over = _cleared(state, fault, margin, f"{policy.clean_epochs} clean epochs")
            spoilt.append((over.first * lanes, over.last * lanes))
            said.append(over)
        else:
            kept.append(replace(fault, clean=fault.clean + 1))
    for new in found.values():
        opened, event = _open(state, epoch, new)
        kept.append(opened)
        said.append(event)
    sound = not any(fault.clean == 0 for fault in kept)
    return replace(state, faults=tuple(kept), spoilt=tuple(spoilt[-SPOILT_KEPT:])), tuple(said), sound


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
