"""What drift detection remembers of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.drift_detection.assembly import Assembly
from services.drift_detection.inputs.blocks import BlockState
from services.drift_detection.inputs.records import RecordState
from services.drift_detection.inputs.verdict import FeatureEvidence
from services.drift_detection.performance.detector import LossState
from shared.domain.dispersion import Dispersion
from shared.domain.profile import Profile
from shared.domain.quality import Quality


@dataclass(frozen=True, slots=True)
class Counted:
    """One step of labelled rows: where the stream was, who served, and the counts per version.

    ``joined``: the received row that the labels had come to.
    """

    row: int
    joined: int
    label: int
    serving: str | None
    versions: tuple[tuple[str, Quality], ...]
    losses: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenEpisode:
    """A suspected or detected drift. ``detected`` episodes wait until their stages have matured."""

    id: str
    origin: str
    detected: bool = False
    since_label: int = 0
    since_row: int = 0
    stage: int = 0


@dataclass(frozen=True, slots=True)
class Unattributed:
    """An episode whose alarm could name no features. ``since_row``: where its change seems to have begun."""

    episode: str
    since_row: int


@dataclass(frozen=True, slots=True)
class OpenFault:
    """A data fault that is not over. ``clean``: epochs in a row without it; ``last``: end of its last bad epoch."""

    id: str
    kind: str
    column: str
    first: int
    last: int
    clean: int = 0


@dataclass(frozen=True, slots=True)
class DriftState:
    """Both clocks, both tests, and what is open.

    ``silent``: this generation's input test has alarmed; a new generation starts a new one.
    """

    pipeline: str
    row: int = 0
    label: int = 0
    lost: int = 0
    """Received rows that never got a label, so far: a row's label position is its row position less these."""
    file: str = ""
    baseline: str = ""
    """The pipeline file and the baseline that the latest profile was taken under."""
    generation: int = 0
    epochs: Assembly[Profile] = field(default_factory=Assembly)
    inputs: RecordState | BlockState | None = None
    input_evidence: float | None = None
    features: tuple[FeatureEvidence, ...] = ()
    warnings: tuple[str, ...] = ()
    silent: bool = False
    faults: tuple[OpenFault, ...] = ()
    spoilt: tuple[tuple[int, int], ...] = ()
    """Rows [first, last), over all lanes, of the latest faults that are over: their labels may still come."""
    carried_out: tuple[str, ...] = ()
    """The latest commands that ended a fault: one sent twice is done once."""
    steps: Assembly[Counted] = field(default_factory=Assembly)
    loss: LossState = field(default_factory=LossState)
    dispersion: Dispersion = field(default_factory=Dispersion)
    versions: tuple[str, ...] = ()
    plug_in: bytes = b""
    """The plug-in detector's own state, encoded."""
    episodes: tuple[OpenEpisode, ...] = ()
    unattributed: Unattributed | None = None
    """The latest alarm of this generation that named no features, until an epoch does."""

    def episode(self, origin: str) -> OpenEpisode | None:
        return next((episode for episode in self.episodes if episode.origin == origin), None)
