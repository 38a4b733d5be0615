"""`FeatureProfile`: everything that is remembered of one column of a slice, in integers alone.

Integers add up to the same bits in any order and grouping; floating-point sums don't, and two replicas that disagree
in the last bit would derive different decisions from one stream.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from shared.domain.bins import Bins, Counts, Numbers, counts_of, numbers

REACH = 1 << 23
"""A fixed-point value is clipped here, 2**14 spreads from the centre: squares of 2**17 such rows fit 64 bits."""

_LOWEST_EXPONENT = -324


@dataclass(frozen=True, slots=True)
class FeatureProfile:
    """Counts of one column.

    ``counts``: per slot of the feature's `Bins`, missing and unseen last.  ``exponents``: sorted (decimal exponent,
    count) of the finite non-zero numbers.  ``total``, ``squares``: sums of the fixed-point values and of their
    squares (see `Bins`) over the finite numbers, which ``finite`` counts.
    """

    counts: tuple[int, ...]
    exponents: tuple[tuple[int, int], ...] = ()
    total: int = 0
    squares: int = 0
    finite: int = 0

    @property
    def rows(self) -> int:
        return sum(self.counts)

    @property
    def null_share(self) -> float:
        return self.counts[-2] / self.rows if self.rows else 0.0

    @property
    def unseen_share(self) -> float:
        return self.counts[-1] / self.rows if self.rows else 0.0

    def __add__(self, other: FeatureProfile) -> FeatureProfile:
        """The profile of both slices together: exact, associative, commutative."""
        return FeatureProfile(
            counts=tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)),
            exponents=_add_exponents(self.exponents, other.exponents),
            total=self.total + other.total,
            squares=self.squares + other.squares,
            finite=self.finite + other.finite,
        )


def feature_profile(bins: Bins, column: pa.Array | pa.ChunkedArray) -> FeatureProfile:
    """Count one column; no Python runs per value."""
    counts = tuple(counts_of(bins, column).tolist())
    if not bins.numeric:
        return FeatureProfile(counts)
    values = numbers(column)
    finite = values[np.isfinite(values)]
    fixed = _fixed_point(bins, finite)
    return FeatureProfile(counts, _exponents(finite), int(fixed.sum()), int((fixed * fixed).sum()), finite.size)


def mean(bins: Bins, profile: FeatureProfile) -> float:
    """Mean of the finite numbers; NaN where there is none."""
    return bins.centre + bins.step * profile.total / profile.finite if profile.finite else math.nan


def deviation(bins: Bins, profile: FeatureProfile) -> float:
    """Standard deviation (of the population) of the finite numbers; NaN where there is none."""
    if not profile.finite:
        return math.nan
    return bins.step * math.sqrt(profile.finite * profile.squares - profile.total**2) / profile.finite


def _fixed_point(bins: Bins, finite: Numbers) -> Counts:
    with np.errstate(over="ignore"):
        return np.rint(np.clip((finite - bins.centre) / bins.step, -REACH, REACH)).astype(np.int64)


def _exponents(finite: Numbers) -> tuple[tuple[int, int], ...]:
    sizes = np.abs(finite[finite != 0])
    counted = np.bincount(np.floor(np.log10(sizes)).astype(np.int64) - _LOWEST_EXPONENT)
    places = np.flatnonzero(counted)
    return tuple(zip((places + _LOWEST_EXPONENT).tolist(), counted[places].tolist(), strict=True))


def _add_exponents(
    left: tuple[tuple[int, int], ...], right: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    both = dict(left)
    for exponent, count in right:
        both[exponent] = both.get(exponent, 0) + count
    return tuple(sorted(both.items()))
