"""What a backtest found out, as data: `summary.json` and the report are two views of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.domain.quality import Quality
from shared.events.base import Event


@dataclass(frozen=True, slots=True)
class QualityPoint:
    """Quality over the labelled rows of one slice of the stream; ``row`` is the slice's end."""

    row: int
    quality: Quality


@dataclass(frozen=True, slots=True)
class EvidencePoint:
    """A detector's evidence at a row, as log10(evidence / threshold): 0 alarms."""

    row: int
    inputs: float | None
    performance: float | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which records no figure counts. ``refused``: dead letters of ingestion and validation.

    ``unlabelled``: records that were let in and never got a label. ``served_from``: index of the first record that a
    model could predict; None where there was none.
    """

    refused: int = 0
    unlabelled: int = 0
    served_from: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """One policy's run: totals over every record after the initial ones, and what it did.

    ``alarms``: index of the last record that had come in when the alarm was raised. ``data_faults``: index of the
    first record of the first epoch that showed the fault.
    """

    name: str
    quality: Quality
    retrainings: int
    promotions: int
    rejections: int
    rollbacks: int
    alarms: tuple[int, ...]
    data_faults: tuple[int, ...]
    train_seconds: float
    wall_seconds: float
    probes: int = 0
    """Throw-away fits that chose the training rows; ``train_seconds`` holds their time."""
    coverage: Coverage = Coverage()
    curve: tuple[QualityPoint, ...] = ()
    evidence: tuple[EvidencePoint, ...] = ()
    ledger: tuple[Event, ...] = ()
    """Facts and decisions in order (empty for policies without a model)."""


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """One stream under several policies; the first policy named ``drift`` is the pipeline's own."""

    data: str
    records: int
    initial: int
    label_delay: int
    seed: int
    task: str
    policies: tuple[PolicyResult, ...]
    settings: str
    """The pipeline file as YAML."""
    block: int | None = None
    truth: tuple[tuple[int, int, str], ...] = ()
    """Known changes (first row, last row, what happened), where the stream is simulated."""
    importances: dict[str, float] = field(default_factory=dict)
    """Permutation importances of the last champion, if they were computed."""
    command: str = ""
    """The command line that made this run, for the report's "how to reproduce"; empty where there was none."""
