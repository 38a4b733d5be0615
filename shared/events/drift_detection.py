"""What drift detection judges. An episode is one drift, from first evidence to its end.

Two clocks appear: ``row`` counts received rows, ``label`` counts labelled rows, both summed over lanes.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.events.base import Event, Part

Origin = Literal["inputs", "performance", "detector"]


class FeatureDrift(Part):
    """How much one feature moved, and which way. Effect sizes compare the epoch with the training rows;
    ``log_evidence`` is a power of ten."""

    name: str
    log_evidence: float
    direction: str
    psi: float
    ks: float
    js: float
    wasserstein: float
    total_variation: float


class DriftSuspected(Event):
    """Evidence passed the square root of its threshold: worth watching, not worth waking anyone."""

    type: ClassVar[str] = "driftloop.drift.suspected.v1"
    identity: ClassVar[tuple[str, ...]] = ("episode",)

    episode: str
    origin: Origin
    generation: int
    row: int
    label: int
    evidence: float
    threshold: float


class DriftDetected(Event):
    """Evidence reached its threshold (both as powers of ten). ``since_*``: where the change seems to have begun."""

    type: ClassVar[str] = "driftloop.drift.detected.v1"
    identity: ClassVar[tuple[str, ...]] = ("episode",)

    episode: str
    origin: Origin
    detector: str
    generation: int
    version: str | None = None
    row: int
    label: int
    since_row: int
    since_label: int
    evidence: float
    threshold: float
    loss_before: float | None = None
    loss_after: float | None = None
    features: tuple[FeatureDrift, ...] = ()
    warnings: tuple[str, ...] = ()


class DriftAttributed(Event):
    """What the first epoch of inputs after a loss alarm shows, where the alarm itself could name no features.

    It completes the episode's `DriftDetected` and decides nothing.
    """

    type: ClassVar[str] = "driftloop.drift.attributed.v1"
    identity: ClassVar[tuple[str, ...]] = ("episode",)

    episode: str
    generation: int
    row: int
    label: int
    features: tuple[FeatureDrift, ...] = ()
    warnings: tuple[str, ...] = ()


class DriftMatured(Event):
    """Enough labelled rows from after the change exist for the next stage of the response."""

    type: ClassVar[str] = "driftloop.drift.matured.v1"
    identity: ClassVar[tuple[str, ...]] = ("episode", "stage")

    episode: str
    stage: int
    final: bool
    row: int
    label: int
    since_label: int


class DriftCleared(Event):
    """Suspicion faded without an alarm."""

    type: ClassVar[str] = "driftloop.drift.cleared.v1"
    identity: ClassVar[tuple[str, ...]] = ("episode",)

    episode: str
    row: int
    label: int
    reason: str


class DataFaultFound(Event):
    """Broken data, not drift: retraining is blocked and the epochs stay out of training rows until cleared."""

    type: ClassVar[str] = "driftloop.data.fault-found.v1"
    identity: ClassVar[tuple[str, ...]] = ("fault",)

    fault: str
    kind: str
    column: str
    share: float
    detail: str
    generation: int
    epoch: int
    first: int
    last: int


class DataFaultCleared(Event):
    """The fault is over; rows in [first, last) of each lane's share stay out of training data."""

    type: ClassVar[str] = "driftloop.data.fault-cleared.v1"
    identity: ClassVar[tuple[str, ...]] = ("fault",)

    fault: str
    column: str
    first: int
    last: int
    by: str
