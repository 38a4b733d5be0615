"""Effect sizes: how much a feature moved, and which way, from counts in shared bins.

Evidence says *whether* something changed and grows with the number of rows; an effect size says *how much*, and
doesn't.  The classical statistics are the same numbers that scipy gives for binned samples; they are exact for the
bins, not for the values within them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from services.drift_detection.inputs.verdict import Direction, Effects
from shared.domain.bins import RESOLUTION_BITS, Bins
from shared.domain.counts import FeatureProfile, deviation

Counts = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

PSI_SMOOTHING = 0.5
"""Added to every count. There is no agreed treatment of empty bins; replacing zeros by the smallest double, as some
libraries do, lets one empty bin decide the result."""

ONE_WAY = 0.8
"""Share of the area between two distribution functions that must lie on one side to be called up or down."""


def effects_of(bins: Bins, reference: FeatureProfile, counts: Counts) -> Effects:
    """All effect sizes of ``counts`` against the reference; zeros where either holds no rows."""
    base = np.asarray(reference.counts, dtype=np.int64)
    if not base.sum() or not counts.sum():
        return Effects(0.0, 0.0, 0.0, 0.0, 0.0, "none")
    return Effects(
        psi=psi(base, counts),
        ks=kolmogorov_smirnov(bins, base, counts),
        js=jensen_shannon(base, counts),
        wasserstein=wasserstein(bins, reference, counts),
        total_variation=total_variation(base, counts),
        direction=direction(bins, base, counts),
    )


def psi(reference: Counts, counts: Counts) -> float:
    """Population stability index over all slots, natural logarithm, counts smoothed by `PSI_SMOOTHING`."""
    p, q = shares(reference + PSI_SMOOTHING), shares(counts + PSI_SMOOTHING)
    return float(((q - p) * np.log(q / p)).sum())


def total_variation(reference: Counts, counts: Counts) -> float:
    """Half the sum of absolute differences of the shares: the largest difference in probability of any event."""
    return float(np.abs(shares(counts) - shares(reference)).sum() / 2)


def material_variation(reference: Counts, counts: Counts) -> float:
    """Total variation beyond what chance alone would show between two samples of these sizes.

    The plug-in distance of two samples of one distribution is far above zero (0.14 for 100 rows in 12 bins).  Its
    expectation, half the sum of sqrt(2/pi p (1-p) (1/n + 1/m)), is taken off in quadrature, as for noise and signal.
    """
    n, m = int(reference.sum()), int(counts.sum())
    if not n or not m:
        return 0.0
    pooled = shares(reference + counts)
    noise = np.sqrt(2 / np.pi * pooled * (1 - pooled) * (1 / n + 1 / m)).sum() / 2
    return math.sqrt(max(total_variation(reference, counts) ** 2 - float(noise) ** 2, 0.0))


def jensen_shannon(reference: Counts, counts: Counts) -> float:
    """Jensen-Shannon distance (the square root of the divergence) in base 2, so between 0 and 1."""
    p, q = shares(reference), shares(counts)
    middle = (p + q) / 2
    return math.sqrt(max((_divergence(p, middle) + _divergence(q, middle)) / 2, 0.0))


def kolmogorov_smirnov(bins: Bins, reference: Counts, counts: Counts) -> float:
    """Largest difference of the distribution functions at the edges, among values that are present.

    Categories have no order: theirs is the largest difference of one category's share.
    """
    gaps = _gaps(reference, counts) if bins.numeric else shares(counts) - shares(reference)
    return float(np.abs(gaps).max(initial=0.0))


def wasserstein(bins: Bins, reference: FeatureProfile, counts: Counts) -> float:
    """Earth mover's distance in units of the training rows' standard deviation, every bin standing at its middle and
    the outer ones at their edge. Categories are all equally far apart, which makes it the total variation."""
    base = np.asarray(reference.counts, dtype=np.int64)
    if not bins.numeric:
        return total_variation(base, counts)
    unit = deviation(bins, reference) or bins.step * 2**RESOLUTION_BITS
    if len(bins.edges) < 2 or not math.isfinite(unit):
        return 0.0
    return float((np.abs(_gaps(base, counts)[:-1]) * np.diff(middles(bins))).sum() / unit)


def direction(bins: Bins, reference: Counts, counts: Counts) -> Direction:
    """Where the mass went: to missing or unseen if half of the moved mass did, else up or down if the distribution
    functions hardly cross, else a change of shape."""
    moved = shares(counts) - shares(reference)
    half = np.abs(moved).sum() / 4
    if half == 0:
        return "none"
    if moved[-2] >= half:
        return "missing"
    if moved[-1] >= half:
        return "unseen"
    return _way(_gaps(reference, counts)) if bins.numeric else "shape"


def middles(bins: Bins) -> Floats:
    """Where each numeric bin stands on the feature's axis."""
    edges = np.asarray(bins.edges)
    return np.concatenate([edges[:1], edges[:-1] / 2 + edges[1:] / 2, edges[-1:]])


def shares(counts: Counts | np.ndarray[Any, np.dtype[np.floating[Any]]]) -> Floats:
    return np.asarray(counts / max(counts.sum(), 1e-300))


def _way(gaps: Floats) -> Direction:
    area = np.abs(gaps).sum()
    if gaps.sum() <= -ONE_WAY * area and area:
        return "up"
    return "down" if gaps.sum() >= ONE_WAY * area and area else "shape"


def _gaps(reference: Counts, counts: Counts) -> Floats:
    """F_counts - F_reference at the edges, among the values that are present."""
    return np.cumsum(shares(counts[:-2])) - np.cumsum(shares(reference[:-2]))


def _divergence(p: Floats, q: Floats) -> float:
    some = p > 0
    return float((p[some] * np.log2(p[some] / q[some])).sum())
