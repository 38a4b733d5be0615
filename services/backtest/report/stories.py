"""The ledger of a run, folded into episodes, other trainings and data faults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.events.base import Event
from shared.events.deployment import (
    ApprovalAwaited,
    CandidatePromoted,
    CandidateRejected,
    EpisodeClosed,
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
    FeatureDrift,
)
from shared.events.training import (
    EvaluationCompleted,
    EvaluationRequested,
    JobFailed,
    ProbeCompleted,
    ProbeRequested,
    TrainingCompleted,
    TrainingRequested,
    TrainingSuppressed,
)

Request = TrainingRequested | EvaluationRequested | ProbeRequested
Verdict = CandidatePromoted | CandidateRejected
Aftermath = PromotionVerified | PromotionRolledBack


@dataclass(frozen=True, slots=True)
class Job:
    """One training: asked for, done or failed, and what the gate said."""

    requested: TrainingRequested
    completed: TrainingCompleted | None
    failures: tuple[JobFailed, ...]
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Story:
    """All that one cause brought about, in ledger order."""

    cause: str
    events: tuple[Event, ...]
    jobs: tuple[Job, ...]

    @property
    def aftermath(self) -> tuple[Aftermath, ...]:
        return tuple(e for e in self.events if isinstance(e, Aftermath))

    @property
    def suppressions(self) -> tuple[TrainingSuppressed, ...]:
        return tuple(e for e in self.events if isinstance(e, TrainingSuppressed))

    @property
    def waits(self) -> tuple[TrialPended | ApprovalAwaited, ...]:
        return tuple(e for e in self.events if isinstance(e, TrialPended | ApprovalAwaited))

    @property
    def evaluations(self) -> tuple[EvaluationCompleted, ...]:
        return tuple(e for e in self.events if isinstance(e, EvaluationCompleted))

    @property
    def attribution(self) -> DriftDetected | DriftAttributed | None:
        """Who names the inputs that moved: the alarm, or where it could name none, the epochs after it."""
        return next((e for e in self.events if isinstance(e, DriftDetected | DriftAttributed) and e.features), None)

    @property
    def probes(self) -> tuple[ProbeCompleted, ...]:
        return tuple(e for e in self.events if isinstance(e, ProbeCompleted))


@dataclass(frozen=True, slots=True)
class Episode:
    """One drift from its estimated beginning to its end; ``number`` counts detected episodes from 1."""

    number: int
    detected: DriftDetected
    closed: EpisodeClosed | None
    story: Story
    heir: int | None = None
    """Number of the episode that answers in this one's place: the inputs had moved, then the loss did."""

    @property
    def cleared(self) -> DriftCleared | None:
        """Why the alarm was set aside, where it was."""
        return next((event for event in self.story.events if isinstance(event, DriftCleared)), None)

    @property
    def features(self) -> tuple[FeatureDrift, ...]:
        return self.story.attribution.features if self.story.attribution else ()

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.story.attribution.warnings if self.story.attribution else ()

    @property
    def outcome(self) -> str:
        return self.closed.outcome if self.closed else "open"

    def end(self, records: int) -> int:
        """Row of the close, or the run's last row."""
        return self.closed.row if self.closed else records


@dataclass(frozen=True, slots=True)
class Fault:
    """A data fault; ``last`` is exclusive and the run's end where it never cleared."""

    found: DataFaultFound
    cleared: DataFaultCleared | None
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Chronicle:
    """What the report tells of a run's ledger."""

    episodes: tuple[Episode, ...]
    others: tuple[Story, ...]
    """Trainings and refusals that no detected drift caused: bootstrap, growth, schedule, requests."""
    faults: tuple[Fault, ...]
    faded: int
    """Suspicions that cleared without an alarm; an alarm that was set aside is not one of them."""


def chronicle(ledger: Iterable[Event], records: int) -> Chronicle:
    """Fold a ledger. An event that was appended twice counts once."""
    events = list({event.event_id: event for event in reversed(list(ledger))}.values())[::-1]
    grouped = _grouped(events)
    stories = {cause: Story(cause, tuple(found), _jobs(found)) for cause, found in grouped.items()}
    detected = [event for event in events if isinstance(event, DriftDetected)]
    drifts = {event.episode: number for number, event in enumerate(detected, 1)}
    return Chronicle(
        tuple(_episode(event, stories[event.episode], drifts) for event in detected),
        tuple(s for cause, s in stories.items() if cause not in drifts and _tells_of_training(s)),
        _faults(events, records),
        sum(isinstance(event, DriftCleared) and event.episode not in drifts for event in events),
    )


def _grouped(events: list[Event]) -> dict[str, list[Event]]:
    grouped: dict[str, list[Event]] = {}
    for event in events:
        cause = getattr(event, "episode", None) or getattr(event, "cause", None) or _cause_of_failure(event, grouped)
        if cause:
            grouped.setdefault(cause, []).append(event)
    return grouped


def _cause_of_failure(event: Event, grouped: dict[str, list[Event]]) -> str | None:
    """A failed job names only its job; the cause is that of the request before it."""
    if not isinstance(event, JobFailed):
        return None
    return next((cause for cause, found in grouped.items() if any(_asks(e, event.job) for e in found)), None)


def _asks(event: Event, job: str) -> bool:
    return isinstance(event, Request) and event.job == job


def _jobs(events: list[Event]) -> tuple[Job, ...]:
    done = {e.job: e for e in events if isinstance(e, TrainingCompleted)}
    verdicts = {e.job: e for e in events if isinstance(e, Verdict)}
    failed = [e for e in events if isinstance(e, JobFailed)]
    return tuple(
        Job(e, done.get(e.job), tuple(f for f in failed if f.job == e.job), verdicts.get(e.job))
        for e in events
        if isinstance(e, TrainingRequested)
    )


def _episode(detected: DriftDetected, story: Story, numbers: dict[str, int]) -> Episode:
    closed = next((event for event in story.events if isinstance(event, EpisodeClosed)), None)
    found = Episode(numbers[detected.episode], detected, closed, story)
    reason = found.cleared.reason if found.cleared else ""
    return replace(found, heir=next((number for episode, number in numbers.items() if episode in reason), None))


def _tells_of_training(story: Story) -> bool:
    return bool(story.jobs) or bool(story.suppressions)


def _faults(events: list[Event], records: int) -> tuple[Fault, ...]:
    cleared = {event.fault: event for event in events if isinstance(event, DataFaultCleared)}
    return tuple(_fault(e, cleared.get(e.fault), records) for e in events if isinstance(e, DataFaultFound))


def _fault(found: DataFaultFound, cleared: DataFaultCleared | None, records: int) -> Fault:
    return Fault(found, cleared, cleared.first if cleared else found.first, cleared.last if cleared else records)
