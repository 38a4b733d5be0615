"""What the input detectors say about one epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["up", "down", "shape", "missing", "unseen", "none"]


@dataclass(frozen=True, slots=True)
class Effects:
    """How far a feature's counts lie from the training rows' (see `effects`)."""

    psi: float
    ks: float
    js: float
    wasserstein: float
    total_variation: float
    direction: Direction


@dataclass(frozen=True, slots=True)
class FeatureEvidence:
    """One feature that the evidence names. ``log_evidence``: log10 of its Shiryaev-Roberts value (record mode), or of
    the e-value of its own rank in the newest block (block mode)."""

    name: str
    log_evidence: float
    effects: Effects


@dataclass(frozen=True, slots=True)
class InputVerdict:
    """The state of the evidence after one epoch.

    ``evidence`` is log10(1 + SR) of the largest Shiryaev-Roberts process, so 0 where nothing has happened, and
    ``threshold`` log10 of the height at which it alarms.  ``change_epoch``: the epoch in which the strongest feature's
    change seems to have begun, None while nothing builds up.  ``features``: named ones, strongest first.  ``ready``:
    whether the detector has seen enough to be able to alarm; block mode needs about 20 blocks.
    """

    alarm: bool
    evidence: float
    threshold: float
    change_epoch: int | None
    features: tuple[FeatureEvidence, ...]
    ready: bool
