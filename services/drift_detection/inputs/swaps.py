"""Suspected swaps: two numeric columns that match each other's baseline much better than their own.

Counts of different columns stand in different bins.  What carries over is each baseline as a distribution function:
column a's counts are compared, at a's edges, with b's baseline read off there by interpolation, and the exact means
and spreads with b's.  Categories are left to the unseen slot: their bins do not remember foreign values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.domain.baseline import Baseline
from shared.domain.bins import RESOLUTION_BITS, Bins
from shared.domain.counts import FeatureProfile, deviation, mean
from shared.domain.profile import Profile

Floats = np.ndarray[Any, np.dtype[np.float64]]

FAR = 0.5
"""Mismatch with the own baseline from which on a column is a suspect."""

NEAR = 0.25
"""Mismatch with the other's baseline up to which it counts as a match."""

SHARPNESS = 2.0
"""How many times better than the own baseline the other's must fit, in both directions."""


@dataclass(frozen=True, slots=True)
class SuspectedSwap:
    """Two columns, in the contract's order, and the larger of their mismatches after swapping them back."""

    first: str
    second: str
    mismatch: float


def suspected_swaps(epoch: Profile, baseline: Baseline) -> tuple[SuspectedSwap, ...]:
    """Pairs of columns that look swapped in this epoch; each column is in one pair at most, best matches first."""
    own = {place: _mismatch(epoch, baseline, place, place) for place in _comparable(epoch, baseline)}
    suspects = [place for place, value in own.items() if value >= FAR]
    pairs = sorted(
        (max(_mismatch(epoch, baseline, a, b), _mismatch(epoch, baseline, b, a)), a, b)
        for a in suspects
        for b in suspects
        if a < b
    )
    found: list[SuspectedSwap] = []
    taken: set[int] = set()
    for mismatch, a, b in pairs:
        if mismatch <= min(NEAR, min(own[a], own[b]) / SHARPNESS) and not taken & {a, b}:
            taken |= {a, b}
            found.append(SuspectedSwap(baseline.names[a], baseline.names[b], mismatch))
    return tuple(found)


def _comparable(epoch: Profile, baseline: Baseline) -> list[int]:
    return [
        place
        for place, bins in enumerate(baseline.bins)
        if bins.numeric and bins.edges and epoch.features[place].finite and baseline.features[place].finite
    ]


def _mismatch(epoch: Profile, baseline: Baseline, seen: int, claimed: int) -> float:
    """How badly the epoch's column ``seen`` fits the baseline of ``claimed``: 0 is a perfect match.

    The largest of: difference of the distribution functions at the edges, of the centres in spreads, of the logarithms
    of the spreads.
    """
    bins, counts = baseline.bins[seen], epoch.features[seen]
    other, reference = baseline.bins[claimed], baseline.features[claimed]
    spread = max(deviation(other, reference), other.step)
    gap = np.abs(_distribution(counts) - _at(other, reference, np.asarray(bins.edges))).max()
    centre = abs(mean(bins, counts) - mean(other, reference)) / spread
    ratio = max(deviation(bins, counts), other.step, spread / 2**RESOLUTION_BITS) / spread
    return float(max(gap, centre, abs(math.log(ratio))))


def _distribution(profile: FeatureProfile) -> Floats:
    """Share of values below each edge."""
    values = np.asarray(profile.counts[:-2], dtype=np.float64)
    return np.asarray(np.cumsum(values)[:-1] / max(values.sum(), 1.0))


def _at(bins: Bins, reference: FeatureProfile, places: Floats) -> Floats:
    return np.interp(places, np.asarray(bins.edges), _distribution(reference), left=0.0, right=1.0)
