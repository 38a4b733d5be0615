"""Every fact and decision of a ledger as a sentence, with the row at which it was known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from services.backtest.report.features import DIRECTIONS
from services.backtest.report.figures import counted, listed, percent, seconds, whole
from services.backtest.report.wording import counts_words, rule_words, trial_words, window_words, worth_words
from shared.events.base import Event
from shared.events.deployment import (
    ApprovalAwaited,
    CandidatePromoted,
    CandidateRejected,
    CommandRefused,
    EpisodeClosed,
    ModelBrought,
    PipelineApplied,
    PipelinePaused,
    PipelineResumed,
    PromotionRolledBack,
    PromotionVerified,
    TrialPended,
)
from shared.events.drift_detection import (
    DataFaultCleared,
    DataFaultFound,
    DriftAttributed,
    DriftCleared,
    DriftDetected,
    DriftMatured,
    DriftSuspected,
)
from shared.events.training import (
    EvaluationCompleted,
    EvaluationRequested,
    JobBeat,
    JobClaimed,
    JobFailed,
    ProbeCompleted,
    ProbeRequested,
    TrainingCompleted,
    TrainingRequested,
    TrainingSuppressed,
)

MOST_FEATURES = 3
IDENTIFIER = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b")
ORIGINS = {"inputs": "in the inputs", "performance": "in the model's errors", "detector": "by the plug-in detector"}
OUTCOMES = {
    "verified": "the new model is verified",
    "unverified": "the new model serves, compared with nothing",
    "rolled-back": "the old model is back",
    "superseded": "a newer model took its place before the verdict",
    "refused": "the old model stays",
    "harmless": "harmless: the inputs moved, with no clear sign of damage",
    "failed": "the training failed",
}
ROUTINE = (
    PipelineApplied, DriftSuspected, DriftCleared, DriftMatured, TrainingRequested, EvaluationRequested,
    EvaluationCompleted, ProbeRequested, ProbeCompleted, JobClaimed, JobBeat, TrialPended, PipelinePaused,
)  # fmt: skip
"""Steps on the way to the decisions, which a short timeline leaves out."""


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a timeline. ``routine``: a step on the way rather than a decision."""

    row: int
    words: str
    routine: bool


class Narrator:
    """Tells events one by one, in ledger order.

    It remembers the last row, for events that carry none, and why an alarm was set aside, for its episode's end.
    """

    def __init__(self) -> None:
        self._row = 0
        self._why: dict[str, str] = {}
        self._seen: set[str] = set()

    def tell(self, events: Iterable[Event]) -> Iterator[Told]:
        """An event that was appended twice is told once."""
        for event in events:
            if event.event_id in self._seen:
                continue
            self._seen.add(event.event_id)
            self._row = _row(event, self._row)
            if isinstance(event, DriftCleared):
                self._why[event.episode] = event.reason
            yield Told(self._row, self._sentence(event), isinstance(event, ROUTINE))

    def _sentence(self, event: Event) -> str:
        why = self._why.get(event.episode) if isinstance(event, EpisodeClosed) else None
        return f"episode closed: {_shortened(why)}" if why else sentence(event)


def sentence(event: Event) -> str:
    """The event in words; its type for one that this build has no words for."""
    words = WORDS.get(type(event))
    return (words(event) if words else event.type).replace("\u00a0", " ")


def brief(identifier: str) -> str:
    """The beginning of a version, which every command takes for the whole."""
    return identifier[:8]


def _shortened(text: str) -> str:
    """The text with its ids cut to their beginning."""
    return IDENTIFIER.sub(lambda found: brief(found[0]), text)


def features_words(event: DriftDetected | DriftAttributed) -> str:
    """The features that moved, the strongest first."""
    ranked = sorted(event.features, key=lambda feature: (-feature.log_evidence, feature.name))
    named = [f"{f.name} ({DIRECTIONS.get(f.direction, ('', f.direction))[1]})" for f in ranked[:MOST_FEATURES]]
    more = len(ranked) - MOST_FEATURES
    return listed([*named, *([counted(more, "other")] if more > 0 else [])])


def _row(event: Event, last: int) -> int:
    if isinstance(event, DataFaultFound | DataFaultCleared):
        return max(last, event.last)
    return int(getattr(event, "row", last))


def _detected(event: DriftDetected) -> str:
    begun = f"it began near row {whole(event.since_row)}"
    if event.loss_before is not None and event.loss_after is not None:
        what = f": loss {percent(event.loss_before)} before, {percent(event.loss_after)} after"
    else:
        what = f": {features_words(event)}" if event.features else ""
    return f"drift detected {ORIGINS.get(event.origin, event.origin)}{what}; {begun}{_warnings(event.warnings)}"


def _attributed(event: DriftAttributed) -> str:
    return f"the inputs that moved: {features_words(event)}{_warnings(event.warnings)}"


def _warnings(warnings: tuple[str, ...]) -> str:
    return "".join(f"; {warning}" for warning in warnings)


def _requested(event: TrainingRequested) -> str:
    rows = f"labelled rows {whole(event.data.first_label)} to {whole(event.data.last_label)}"
    # The first rows that there are: of which the last ones are chosen only later.
    window = "" if event.trigger == "bootstrap" else f", {window_words(event.window)}"
    return f"training requested ({event.trigger}): {rows}{window}"


def _completed(event: TrainingCompleted) -> str:
    took = f" in {seconds(event.measured_seconds)}" if event.measured_seconds else ""
    rows = f"{whole(event.rows)} rows ({window_words(event.window)})"
    return f"candidate {brief(event.version)} trained on {rows}{took}"


def _promoted(event: CandidatePromoted) -> str:
    return f"{promotion_words(event)}{_reasons(event.reasons)}{trial_words(event.trial)}"


def promotion_words(event: CandidatePromoted) -> str:
    """Who was promoted, and by which rule."""
    if event.rule == "bootstrap":
        return f"{brief(event.version)} is the first model in service"
    return f"{brief(event.version)} promoted ({rule_words(event.rule)})"


def _probed(event: ProbeCompleted) -> str:
    found = [f"{window_words(w)} {counts_words(trial)}" for w, trial in sorted(event.against_champion.items())]
    return f"{counted(event.fits, 'probe')}, wins to losses against the champion: {'; '.join(found)}"


def _evaluated(event: EvaluationCompleted) -> str:
    rows = f"labelled rows {whole(event.first_label)} to {whole(event.last_label)}"
    found = [f"{brief(v)} {counts_words(pairs['all'])}" for v, pairs in event.pairs.items() if "all" in pairs]
    return f"compared with {brief(event.champion)} on {rows}: {'; '.join(found)}"


def _closed(event: EpisodeClosed) -> str:
    return f"episode closed: {OUTCOMES.get(event.outcome, event.outcome)}{worth_words(event)}"


def _fault(event: DataFaultFound) -> str:
    column = f"{event.column}: " if event.column else ""
    share = "" if "%" in event.detail else f" ({percent(event.share)})"
    return f"data fault, not drift: {column}{event.detail}{share}; nothing is learnt from it"


def _cleared(event: DataFaultCleared) -> str:
    place = f" in {event.column}" if event.column else ""
    rows = f"rows {whole(event.first)} to {whole(event.last)} stay out of training"
    return f"data fault{place} over ({event.by}); {rows}"


def _reasons(reasons: tuple[str, ...]) -> str:
    return f": {'; '.join(reasons)}" if reasons else ""


WORDS: dict[type[Event], Callable[[Any], str]] = {
    PipelineApplied: lambda e: f"pipeline file {brief(e.file)} in force",
    ModelBrought: lambda e: f"{brief(e.version)} was brought along, trained elsewhere; model {brief(e.model)}",
    PipelinePaused: lambda e: "retraining paused" if e.command != "end-of-stream" else "the stream ended",
    PipelineResumed: lambda _: "retraining resumed",
    CommandRefused: lambda e: f"command refused: {e.reason}",
    DriftSuspected: lambda e: f"drift suspected {ORIGINS.get(e.origin, e.origin)}",
    DriftDetected: _detected,
    DriftAttributed: _attributed,
    DriftMatured: lambda e: f"enough labels since the change for stage {e.stage}{' (the last)' if e.final else ''}",
    DriftCleared: lambda e: f"no longer followed: {_shortened(e.reason)}",
    DataFaultFound: _fault,
    DataFaultCleared: _cleared,
    TrainingRequested: _requested,
    TrainingSuppressed: lambda e: f"no training ({e.trigger}): {e.reason}",
    TrainingCompleted: _completed,
    EvaluationRequested: lambda e: f"comparison with {brief(e.champion)} requested",
    EvaluationCompleted: _evaluated,
    ProbeRequested: lambda e: f"probes requested ({e.trigger})",
    ProbeCompleted: _probed,
    JobClaimed: lambda e: f"job {brief(e.job)} taken by {e.worker}, attempt {e.attempt}",
    JobBeat: lambda e: f"job {brief(e.job)} is alive",
    JobFailed: lambda e: f"job {brief(e.job)} failed: {e.reason}",
    TrialPended: lambda e: f"{brief(e.version)} on trial until labelled row {whole(e.until_label)}",
    ApprovalAwaited: lambda e: f"{brief(e.version)} waits for a person's approval{_reasons(e.reasons)}",
    CandidatePromoted: _promoted,
    CandidateRejected: lambda e: f"candidate {brief(e.version)} refused{_reasons(e.reasons)}{trial_words(e.trial)}",
    PromotionVerified: lambda e: f"{brief(e.version)} verified against {brief(e.over)}{trial_words(e.trial)}",
    PromotionRolledBack: lambda e: f"rolled back to {brief(e.to)}: {e.reason}{trial_words(e.trial)}",
    EpisodeClosed: _closed,
}
