"""What training remembers of a pipeline. Rows and models are never in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.training.choices import Lead
from services.training.marks import Marks
from shared.events.drift_detection import DriftMatured
from shared.events.jobs import Jobs
from shared.events.training import EvaluationRequested, ProbeCompleted, ProbeRequested, TrainingRequested, Window


@dataclass(frozen=True, slots=True)
class Known:
    """A version that may be scored: its model blob and its training cut (labelled rows)."""

    version: str
    model: str
    cut: int
    loss_scale: float


CHECKPOINTS = 20
"""Evaluations per window of labels while two versions are compared: how soon a bad promotion can be taken back."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions to be scored on the same later rows, checkpoint by checkpoint, until ``until`` labelled rows."""

    cause: str
    champion: str
    challenger: str
    seen: int
    """Labelled rows before it have been compared."""
    next_label: int
    until: int


@dataclass(frozen=True, slots=True)
class Change:
    """A drift that waits for its answer: where it began, and whether a stage is still to come."""

    episode: str
    origin: str
    since_label: int


@dataclass(frozen=True, slots=True)
class TrainingState:
    """A fold of the ledger and of the performance counts' positions."""

    pipeline: str
    file: str = ""
    paused: bool = False
    row: int = 0
    label: int = 0
    marks: Marks = ()
    jobs: Jobs = field(default_factory=Jobs)
    claim: tuple[str, int] = ("", 0)
    """The job and the attempt that were claimed last: the claim may still be on its way to the ledger's reader."""
    trainings: tuple[TrainingRequested, ...] = ()
    evaluations: tuple[EvaluationRequested, ...] = ()
    probes: tuple[ProbeRequested, ...] = ()
    known: tuple[Known, ...] = ()
    champion: str | None = None
    bootstrapped: bool = False
    changes: tuple[Change, ...] = ()
    """Open drifts, from detection until their last stage was answered."""
    ripe: tuple[DriftMatured, ...] = ()
    """Matured stages whose rows the performance counts have not told of yet."""
    probed: tuple[tuple[ProbeCompleted, ProbeRequested], ...] = ()
    """Answers of probes that wait for such rows: what follows from them would be trained without the present."""
    asked: str = ""
    """The job that was asked for last, until the ledger brings its request back."""
    last_change: int | None = None
    """First labelled row of the present, while it's open whether the rows before it are worth learning from."""
    window: Window = "past-and-present"
    """What the last probes found worth learning from. Nothing is forgotten for good: the next probes ask again."""
    next_check: int | None = None
    lead: Lead = field(default_factory=Lead)
    """Of fresh models over the champion, in the checks since it was trained."""
    next_volume: int | None = None
    next_growth: int | None = None
    next_schedule: int | None = None
    """Event time, in milliseconds; the others are labelled rows."""
    time: int | None = None
    history: tuple[int, ...] = ()
    """Labelled rows at the latest trainings: what cooldown and budget count."""
    faults: tuple[tuple[str, str], ...] = ()
    """Open data faults: (id, what is wrong, in words)."""
    excluded: tuple[tuple[int, int], ...] = ()
    comparison: Comparison | None = None
    retired: str | None = None
    """The champion before this one: it may come back."""
    retry_at: int | None = None
    """Labelled rows at which a first training that failed is tried again."""
    ended: tuple[str, ...] = ()
    """What is over (commands done, changes answered, faults cleared, versions judged): a repeat must not revive it."""

    def version(self, name: str | None) -> Known | None:
        return next((known for known in self.known if known.version == name), None)

    def change(self, episode: str) -> Change | None:
        return next((change for change in self.changes if change.episode == episode), None)

    def check_from(self, label: int, interval: int) -> int:
        """Labelled row of the next check after ``label``: ``interval`` on, or sooner, once the present has doubled."""
        return label + min(interval, max(1, self.present(label)))

    def present(self, label: int) -> int:
        """Labelled rows before ``label`` that came since the last open change; all of them where there is none."""
        return label if self.last_change is None else label - self.last_change

    @property
    def idle(self) -> bool:
        """Whether no job that leads to a new version is open or on its way."""
        return not (self.trainings or self.probes or self.probed or self.asked)
