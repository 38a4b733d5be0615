"""The two-sample Kolmogorov-Smirnov test of each epoch against the training rows, at the edges of the bins.

The distance is that of the binned data: exact, from integers.  Its p-value is the continuous distribution's, so on
bins it is an upper bound: ties make the test cautious.  Bonferroni's correction covers the features of one epoch;
nothing covers the epochs, and all of them share the sampling error of one reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

from services.drift_detection.detectors import Counts, DetectorError, InputDetector, require


@dataclass(frozen=True, slots=True)
class KsState:
    """Nothing: each epoch is judged by itself."""


@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov(InputDetector[KsState]):
    """Alarms when any feature's p-value is at most ``alpha`` divided by the number of features.

    All features count the same rows, so the largest distance has the smallest p-value. After a lasting change every
    epoch alarms, until the reference is a new one.
    """

    name: ClassVar[str] = "ks"

    alpha: float = 0.001

    def __post_init__(self) -> None:
        require(0 < self.alpha < 1, self.name, "alpha", "in (0, 1)", self.alpha)

    def start(self) -> KsState:
        return KsState()

    def update(self, state: KsState, reference: Counts, current: Counts) -> tuple[KsState, bool]:
        _check_shapes(reference, current)
        rows, others = _rows("reference", reference), _rows("epoch", current)
        if not rows or not others:
            return state, False
        largest = max(ks_distance(*pair) for pair in zip(reference, current, strict=True))
        return state, ks_p_value(largest, rows, others) <= self.alpha / len(reference)


def ks_distance(reference: Sequence[int], current: Sequence[int]) -> float:
    """Largest distance of the two cumulated distributions over the slots; both sides need a row."""
    rows, others = sum(reference), sum(current)
    pairs = zip(accumulate(reference), accumulate(current), strict=True)
    return max(abs(own * others - other * rows) for own, other in pairs) / (rows * others)


def ks_p_value(distance: float, rows: int, others: int) -> float:
    """Two-sided p-value of a distance between samples of these sizes, as scipy's ``ks_2samp(method="asymp")``."""
    from scipy.stats import kstwo

    return float(kstwo.sf(distance, max(1, round(rows * others / (rows + others)))))


def _rows(side: str, counts: Counts) -> int:
    rows = {sum(feature) for feature in counts}
    if len(rows) > 1:
        raise DetectorError(
            f"detector 'ks': the {side}'s features count {sorted(rows)} rows; count the same rows for all"
        )
    return max(rows, default=0)


def _check_shapes(reference: Counts, current: Counts) -> None:
    ours, theirs = [len(each) for each in reference], [len(each) for each in current]
    if ours != theirs:
        raise DetectorError(
            f"detector 'ks': the reference has {ours} slots per feature and the epoch {theirs}; "
            "count both with the same bins"
        )


DETECTOR = KolmogorovSmirnov
