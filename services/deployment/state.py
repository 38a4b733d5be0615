"""What deployment remembers of a pipeline: who serves, who is watched, and which episodes are open."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.domain.dispersion import Dispersion
from shared.domain.trials import Paired
from shared.events.jobs import Jobs

RENEWING = ("drift", "inputs")
"""Triggers whose versions bring their own baseline: the old bins describe another world than they learnt from."""


@dataclass(frozen=True, slots=True)
class Version:
    """A trained version: all that serving it takes."""

    id: str
    job: str
    cause: str
    trigger: str
    model: str
    baseline: str | None
    """None for a model that was brought along."""
    loss_scale: float
    cut: int
    """Labelled rows from here on are unseen by it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Two versions on the same later rows: before a promotion (``challenger`` may serve) or after it (``challenger``
    is the old champion, who may come back)."""

    cause: str
    champion: str
    challenger: str
    until: int
    slices: tuple[tuple[str, Paired], ...] = ()

    def add(self, counts: dict[str, Paired]) -> tuple[tuple[str, Paired], ...]:
        known = dict(self.slices)
        return tuple(
            (name, known.get(name, Paired()) + counts.get(name, Paired())) for name in sorted({*known, *counts})
        )

    @property
    def whole(self) -> Paired:
        return dict(self.slices).get("all", Paired())


@dataclass(frozen=True, slots=True)
class Episode:
    """An open drift. ``final``: the last stage has matured, so its response is the last word."""

    id: str
    final: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A data fault that blocks retraining; ``first`` is the record that it began with."""

    id: str
    kind: str
    column: str
    first: int


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """A fold of the ledger."""

    pipeline: str
    file: str = ""
    champion: Version | None = None
    retired: Version | None = None
    candidates: tuple[Version, ...] = ()
    generation: int = 0
    baseline: str | None = None
    """The generation's bins and reference counts; a promotion without a drift keeps them."""
    trial: Trial | None = None
    watch: Trial | None = None
    awaiting: str | None = None
    episodes: tuple[Episode, ...] = ()
    faults: tuple[Fault, ...] = ()
    """With ``paused``, for those who ask how things stand: nothing is decided by them here."""
    paused: bool = False
    jobs: Jobs = field(default_factory=Jobs)
    dispersion: Dispersion = field(default_factory=Dispersion)
    """Pooled over all evaluations."""
    causes: tuple[tuple[str, str], ...] = ()
    """(job, cause) of open jobs: whose episode ends if a job fails for good."""
    said: tuple[str, ...] = ()
    """Ids of the latest events that were appended: each is said once."""
    row: int = 0
    label: int = 0
    ended: tuple[str, ...] = ()
    """Commands done and episodes closed: a repeat must not revive them."""

    def candidate(self, version: str) -> Version | None:
        return next((v for v in (*self.candidates, self.retired, self.champion) if v and v.id == version), None)
