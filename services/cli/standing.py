"""How a pipeline stands, folded from its ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.backtest.report.figures import counted, whole
from services.cli.words import Narrator, brief
from shared.events.base import Event
from shared.events.deployment import (
    ApprovalAwaited,
    CandidatePromoted,
    CandidateRejected,
    EpisodeClosed,
    PipelinePaused,
    PipelineResumed,
    PromotionRolledBack,
)
from shared.events.drift_detection import DataFaultCleared, DataFaultFound, DriftDetected
from shared.events.training import (
    EvaluationCompleted,
    EvaluationRequested,
    JobFailed,
    ProbeCompleted,
    ProbeRequested,
    TrainingCompleted,
    TrainingRequested,
)

REQUESTED = TrainingRequested | EvaluationRequested | ProbeRequested
DONE = TrainingCompleted | EvaluationCompleted | ProbeCompleted
JOBS = {TrainingRequested.type: "training", EvaluationRequested.type: "comparison", ProbeRequested.type: "probes"}
"""What a job is called, by the type of its request."""
PAUSED = " (retraining paused)"
NO_CHAMPION = "none yet: collecting labelled rows"


def standing(events: Sequence[Event]) -> dict[str, str]:
    """One line per question that somebody on duty asks, in that order."""
    last = list(Narrator().tell(events))[-1]
    lines = {
        "pipeline": events[0].pipeline + _paused(events),
        "champion": _champion(events),
        "open episodes": listed(_open_episodes(events)),
        "open faults": listed(_open_faults(events)),
        "unfinished jobs": listed(_open_jobs(events)),
        "trained": counted(sum(isinstance(event, TrainingCompleted) for event in events), "version"),
        "last event": f"row {whole(last.row)}: {last.words}",
    }
    waiting = _awaiting(events)
    return lines | ({"waits for approval": waiting} if waiting else {})


def _paused(events: Iterable[Event]) -> str:
    switch = [event for event in events if isinstance(event, PipelinePaused | PipelineResumed)]
    paused = switch and isinstance(switch[-1], PipelinePaused)
    return PAUSED if paused and switch[-1].command != "end-of-stream" else ""


def _champion(events: Iterable[Event]) -> str:
    changes = [event for event in events if isinstance(event, CandidatePromoted | PromotionRolledBack)]
    if not changes:
        return NO_CHAMPION
    last = changes[-1]
    version = last.to if isinstance(last, PromotionRolledBack) else last.version
    return f"{version}, generation {last.generation}, since row {whole(last.row)}"


def _open_episodes(events: Iterable[Event]) -> list[str]:
    found = {event.episode: event for event in events if isinstance(event, DriftDetected)}
    closed = {event.episode for event in events if isinstance(event, EpisodeClosed)}
    left = [event for episode, event in found.items() if episode not in closed]
    return [f"{brief(e.episode)} ({e.origin}, detected at row {whole(e.row)})" for e in left]


def _open_faults(events: Iterable[Event]) -> list[str]:
    found = {event.fault: event for event in events if isinstance(event, DataFaultFound)}
    cleared = {event.fault for event in events if isinstance(event, DataFaultCleared)}
    left = [event for fault, event in found.items() if fault not in cleared]
    return [fault_words(event.fault, event.kind, event.column, event.first) for event in left]


def fault_words(fault: str, kind: str, column: str, first: int) -> str:
    """An open fault, by the id that `clear-fault` takes."""
    return f"{brief(fault)} ({kind} of {column or 'the rows'} since row {whole(first)})"


def _open_jobs(events: Iterable[Event]) -> list[str]:
    asked = {event.job: event for event in events if isinstance(event, REQUESTED)}
    done = {event.job for event in events if isinstance(event, DONE) or (isinstance(event, JobFailed) and event.final)}
    left = [event for job, event in asked.items() if job not in done]
    return [f"{JOBS[e.type]} {brief(e.job)} (row {whole(e.row)})" for e in left]


def _awaiting(events: Iterable[Event]) -> str:
    decided = {event.version for event in events if isinstance(event, CandidatePromoted | CandidateRejected)}
    asked = [event.version for event in events if isinstance(event, ApprovalAwaited)]
    return ", ".join(version for version in asked if version not in decided)


def listed(parts: Sequence[str]) -> str:
    """The parts, or that there are none."""
    return ", ".join(parts) or "none"
