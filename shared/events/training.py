"""What training asks for and brings about. A job is taken by a claim; the claim's ledger offset is its token."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from shared.domain.dispersion import Dispersion
from shared.domain.quality import Quality
from shared.domain.trials import Paired
from shared.events.base import Event, Part

Trigger = Literal["bootstrap", "drift", "inputs", "check", "growth", "schedule", "volume", "request"]
Window = Literal["past-and-present", "present-only", "last"]


class LaneRange(Part):
    """One lane's part of a `DataRange`; offsets are half-open.

    ``labelled`` is the label position of the first labelled row that the offsets hold: messages may hold rows from
    before the range, and the reader cuts them off by counting.
    """

    lane: int
    first: int
    last: int
    rows_from: int
    rows_to: int
    labels_from: int
    labels_to: int
    labelled: int
    joins: tuple[tuple[int, int], ...] = ((0, 0),)
    """Where labels are late: (rows, labels) offsets that had been read before the range (such pairs are in none of its
    rows), and at the ends of its first and next-to-last message: rows are in the order in which they were joined."""


class DataRange(Part):
    """Rows frozen at the request, so that a second attempt trains on the same ones.

    Labelled rows [first_label, last_label) in label order, over all lanes.
    """

    first_label: int
    last_label: int
    lanes: tuple[LaneRange, ...]
    excluded: tuple[tuple[int, int], ...] = ()
    """Received positions [first, last) of every lane that are left out: epochs under a data fault."""


class TrainingRequested(Event):
    """A candidate is wanted. Job = (cause, stage, window): at most one accepted result."""

    type: ClassVar[str] = "driftloop.training.requested.v1"
    identity: ClassVar[tuple[str, ...]] = ("job",)

    job: str
    cause: str
    trigger: Trigger
    stage: int
    window: Window
    since_label: int
    """First labelled row of the present, where the trigger is a drift; else the first row of the range."""
    data: DataRange
    half_life: int | None = None
    """Labelled rows after which a row counts half; None weighs all alike."""
    seed: int
    file: str
    row: int
    label: int


class TrainingSuppressed(Event):
    """A trigger that a brake stopped, and which brake."""

    type: ClassVar[str] = "driftloop.training.suppressed.v1"
    identity: ClassVar[tuple[str, ...]] = ("cause", "stage", "reason")

    cause: str
    trigger: Trigger
    stage: int
    reason: str
    gain: float = 0.0
    """Loss per row that the candidate would have won back, as far as probes could tell."""
    row: int
    label: int


class EvaluationRequested(Event):
    """Score versions on the same labelled rows, all after every version's training cut."""

    type: ClassVar[str] = "driftloop.training.evaluation-requested.v1"
    identity: ClassVar[tuple[str, ...]] = ("job",)

    job: str
    cause: str
    champion: str
    challengers: tuple[str, ...]
    data: DataRange
    file: str
    row: int
    label: int


class ProbeRequested(Event):
    """Fit throw-away models on the older labelled rows and score them on the newer ones, to see which window pays.

    Probes are cheap clones and are never deployed; rows that picked a window do not gate the candidate.
    """

    type: ClassVar[str] = "driftloop.training.probe-requested.v1"
    identity: ClassVar[tuple[str, ...]] = ("job",)

    job: str
    cause: str
    trigger: Trigger
    stage: int
    champion: str
    windows: tuple[Window, ...]
    since_label: int
    split_label: int
    """Probes learn from rows before it and are scored on rows from it on."""
    data: DataRange
    half_life: int | None = None
    seed: int
    file: str
    row: int
    label: int


class ProbeCompleted(Event):
    """What each window's probe did on the newer rows, against the champion and against the other."""

    type: ClassVar[str] = "driftloop.training.probed.v1"
    identity: ClassVar[tuple[str, ...]] = ("job",)

    job: str
    token: int
    cause: str
    against_champion: dict[str, Paired]
    """window -> probe against champion, on rows after the champion's training cut."""
    present_against_past: Paired | None = None
    fits: int
    measured_seconds: float = 0.0


class JobClaimed(Event):
    """A worker takes a job. Valid iff it is the first, or later than the last heartbeat plus the lease."""

    type: ClassVar[str] = "driftloop.training.claimed.v1"
    identity: ClassVar[tuple[str, ...]] = ("job", "attempt", "worker")

    job: str
    attempt: int
    worker: str


class JobBeat(Event):
    """The worker is alive: the lease starts anew."""

    type: ClassVar[str] = "driftloop.training.heartbeat.v1"
    identity: ClassVar[tuple[str, ...]] = ("job", "token", "beat")

    job: str
    token: int
    beat: int


class TrainingCompleted(Event):
    """A candidate exists; its blobs were stored before this was said."""

    type: ClassVar[str] = "driftloop.training.completed.v1"
    identity: ClassVar[tuple[str, ...]] = ("job",)

    job: str
    token: int
    cause: str
    trigger: Trigger
    stage: int
    window: Window
    version: str
    model: str
    baseline: str
    manifest: str
    rows: int
    last_label: int
    """The training cut: labelled rows from here on are unseen by this version."""
    loss_scale: float = 1.0
    parameters: dict[str, Any] = Field(default_factory=dict)
    environment: dict[str, str] = Field(default_factory=dict)
    holdout: dict[str, Quality] = Field(default_factory=dict)
    importances: dict[str, float] = Field(default_factory=dict)
    """Feature -> mean rise of the loss when its values are shuffled among the newest training rows."""
    measured_seconds: float = 0.0


class EvaluationCompleted(Event):
    """Paired counts per slice and challenger; the slice ``all`` is always there."""

    type: ClassVar[str] = "driftloop.training.evaluated.v1"
    identity: ClassVar[tuple[str, ...]] = ("job",)

    job: str
    token: int
    cause: str
    champion: str
    first_label: int
    last_label: int
    pairs: dict[str, dict[str, Paired]]
    """challenger -> slice -> counts."""
    dispersion: Dispersion = Dispersion()
    """Of the champion's losses from step to step: how much the pairs' evidence must be discounted."""
    measured_seconds: float = 0.0


class JobFailed(Event):
    """An attempt ended without a result; ``final`` when no further one will be made."""

    type: ClassVar[str] = "driftloop.training.failed.v1"
    identity: ClassVar[tuple[str, ...]] = ("job", "token")

    job: str
    token: int
    reason: str
    final: bool
