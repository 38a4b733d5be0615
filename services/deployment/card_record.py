"""What the ledger holds about one version, gathered for its model card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from shared.domain.quality import Quality
from shared.domain.trials import Paired
from shared.events.base import Event
from shared.events.deployment import CandidatePromoted, CandidateRejected, PromotionRolledBack, PromotionVerified
from shared.events.drift_detection import DriftAttributed, DriftDetected
from shared.events.prediction import PerformanceCounted
from shared.events.training import EvaluationCompleted, TrainingCompleted, TrainingRequested

NOTHING = Quality()

Verdict = CandidatePromoted | CandidateRejected | PromotionVerified | PromotionRolledBack


class UnknownVersionError(LookupError):
    """No training in the ledger made this version."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger holds about one version."""

    made: TrainingCompleted
    asked: TrainingRequested | None = None
    drift: DriftDetected | None = None
    verdicts: tuple[Verdict, ...] = ()
    trials: tuple[tuple[str, str, Paired], ...] = ()
    """(challenger, champion, pooled counts over all rows), for every pair that the version was in."""
    served: Quality = NOTHING
    """Of the rows that it predicted itself, as far as their labels have come."""

    @property
    def quality(self) -> Quality:
        """The best that is known: in service; before that, on its hold-out, where it had one."""
        return self.served if self.served.n else self.made.holdout.get("model", NOTHING)


def record_of(version: str, events: Iterable[Event]) -> Record:
    """Raises UnknownVersionError for a version that no training of these events made."""
    # An event that was appended twice is one fact.
    ledger = {event.event_id: event for event in events}.values()
    made = next((e for e in ledger if isinstance(e, TrainingCompleted) and e.version == version), None)
    if made is None:
        raise UnknownVersionError(
            f"no training in the ledger made version {version!r}: name a version in full, as the timeline shows it; "
            "a model that was brought along has no card"
        )
    record = Record(made, trials=tuple(_trials(version, ledger)))
    for event in ledger:
        record = _with(record, event)
    return record


def _with(record: Record, event: Event) -> Record:
    made = record.made
    if isinstance(event, TrainingRequested) and event.job == made.job:
        return replace(record, asked=event)
    if isinstance(event, DriftDetected) and event.episode == made.cause:
        return replace(record, drift=event)
    if isinstance(event, DriftAttributed) and record.drift is not None and event.episode == made.cause:
        told = {"features": event.features, "warnings": event.warnings}
        return replace(record, drift=record.drift.model_copy(update=told))
    if isinstance(event, Verdict) and event.version == made.version:
        return replace(record, verdicts=(*record.verdicts, event))
    if isinstance(event, PerformanceCounted) and made.version in event.versions:
        return replace(record, served=record.served + event.versions[made.version])
    return record


def _trials(version: str, ledger: Iterable[Event]) -> Iterator[tuple[str, str, Paired]]:
    """Evaluations of one pair add up: each scored the rows that had come since the one before."""
    pooled: dict[tuple[str, str], Paired] = {}
    for event in ledger:
        if isinstance(event, EvaluationCompleted):
            for challenger, slices in event.pairs.items():
                if version in (challenger, event.champion):
                    pair = (challenger, event.champion)
                    pooled[pair] = pooled.get(pair, Paired()) + slices["all"]
    yield from ((challenger, champion, pair) for (challenger, champion), pair in pooled.items())
