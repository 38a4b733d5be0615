"""Triage: is an epoch broken data rather than a world that changed?

Retraining on broken data teaches a model the breakage, so what looks like a fault is told apart before any test for
drift.  Each check looks at one sign that a real change hardly ever shows: a column that stops, nulls that burst,
numbers that keep their shape but move by a power of ten, rows that no longer pass the contract.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from services.drift_detection.inputs.swaps import suspected_swaps
from shared.domain.baseline import Baseline
from shared.domain.bins import Bins
from shared.domain.counts import REACH, FeatureProfile, deviation, mean
from shared.domain.pipeline import FaultPolicy
from shared.domain.profile import Profile

FaultKind = Literal["column-gone", "null-burst", "unit-change", "reject-surge", "column-swap"]

FEWEST_ROWS = 10
"""Fewer accepted rows than this show no fault: one odd row would be a share of more than a tenth."""

SIGMAS = 4.0
"""A share must also exceed its baseline by this many standard errors, so that small epochs do not cry wolf."""

LARGEST_SHIFT = 12
"""Decimal places a unit change may span: from pico to one."""

COMMON_SHARE = 0.01
"""An exponent that at least this share of the training values had is a usual one."""

LOOSE_PLACES = 2
"""From this many places on a loose fit is enough: hardly any drift moves a column a hundredfold."""

LOOSE_SPREADS = 2.0
"""Standard deviations that the centre may lie off then: an epoch of a seasonal column shows one season."""

PARTLY = (0.2, 0.95)
"""Shares of values a hundredfold off between which an epoch shows the beginning or the end of a unit change."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One sign of broken data. ``column`` is empty where the sign belongs to no column, and "one and other" where it
    belongs to two; ``share``: of rows."""

    kind: FaultKind
    column: str
    share: float
    detail: str


def faults_of(epoch: Profile, baseline: Baseline, policy: FaultPolicy) -> tuple[Fault, ...]:
    """All faults of an epoch, in the order of the columns, a surge of rejects first, swaps (if they count) last."""
    found = list(_reject_surges(epoch, policy))
    for bins, reference, seen in zip(baseline.bins, baseline.features, epoch.features, strict=True):
        if seen.rows >= FEWEST_ROWS:
            found += _column_faults(bins, reference, seen, policy)
    if policy.swap_blocks and epoch.accepted >= FEWEST_ROWS:
        found += _swaps(epoch, baseline)
    return tuple(found)


def decimal_shift(reference: FeatureProfile, seen: FeatureProfile) -> tuple[int, float]:
    """The power of ten k by which the epoch's numbers seem to be multiplied, and the share of them that moved alike.

    Two signs count.  The epoch's exponents overlap with the baseline's moved by k, and hardly with the unmoved ones.
    Or, for a column that shows only part of its range in one epoch, they lie among the usual exponents moved by k,
    and hardly any among the unmoved ones.  k = 0: neither is the case.
    """
    base, now = _shares(reference), _shares(seen)
    moved, unusual = _overlap(base, now, 0) < 0.5, _usual(base, now, 0) < 0.2
    if not (moved or unusual):
        return 0, 0.0
    places = max(sorted(range(-LARGEST_SHIFT, LARGEST_SHIFT + 1), key=abs), key=lambda k: _overlap(base, now, k))
    return places, max(moved * _overlap(base, now, places), unusual * _usual(base, now, places))


def _reject_surges(epoch: Profile, policy: FaultPolicy) -> Iterator[Fault]:
    rejected = epoch.received - epoch.accepted
    if epoch.received < FEWEST_ROWS or rejected < policy.reject_share * epoch.received:
        return
    share = rejected / epoch.received
    if not epoch.rejects:
        yield Fault("reject-surge", "", share, f"{rejected} of {epoch.received} rows rejected")
        return
    rule, rows = max(epoch.rejects, key=lambda pair: (pair[1], pair[0]))
    column = rule.partition(":")[2]
    yield Fault("reject-surge", column, share, f"{rejected} of {epoch.received} rows rejected, {rows} by {rule}")


def _swaps(epoch: Profile, baseline: Baseline) -> Iterator[Fault]:
    for swap in suspected_swaps(epoch, baseline):
        detail = f"each of {swap.first!r} and {swap.second!r} looks like the other's training rows"
        yield Fault("column-swap", f"{swap.first} and {swap.second}", 1.0, detail)


def _column_faults(bins: Bins, reference: FeatureProfile, seen: FeatureProfile, policy: FaultPolicy) -> Iterator[Fault]:
    usual, now = reference.null_share, seen.null_share
    if now == 1 and usual < 1:
        yield Fault("column-gone", bins.feature, 1.0, f"no value in {seen.rows} rows")
    elif now - usual >= max(policy.null_rise, SIGMAS * math.sqrt(usual * (1 - usual) / seen.rows)):
        yield Fault("null-burst", bins.feature, now, f"nulls rose from {usual:.0%} to {now:.0%}")
    places, share = decimal_shift(reference, seen) if bins.numeric else (0, 0.0)
    if places and share >= policy.unit_change_share and _undone(bins, reference, seen, places):
        yield Fault("unit-change", bins.feature, share, f"values look multiplied by 10^{places}")
    elif bins.numeric:
        yield from _partial_unit_change(bins, reference, seen, policy)


def _partial_unit_change(
    bins: Bins, reference: FeatureProfile, seen: FeatureProfile, policy: FaultPolicy
) -> Iterator[Fault]:
    """The epoch in which a unit changes holds both units. Its odd values alone must look like the usual ones, moved."""
    base, now = _shares(reference), _shares(seen)
    odd = {exponent: share for exponent, share in now.items() if base.get(exponent, 0.0) < COMMON_SHARE}
    moved = sum(odd.values())
    if not PARTLY[0] <= moved <= PARTLY[1] or moved * seen.finite < FEWEST_ROWS:
        return
    places = max(range(-LARGEST_SHIFT, LARGEST_SHIFT + 1), key=lambda k: (_usual(base, odd, k), -abs(k)))
    alike = _usual(base, odd, places) >= policy.unit_change_share * moved
    if abs(places) >= LOOSE_PLACES and alike and _mixed(bins, reference, seen, places, moved):
        yield Fault("unit-change", bins.feature, moved, f"{moved:.0%} of the values look multiplied by 10^{places}")


def _mixed(bins: Bins, reference: FeatureProfile, seen: FeatureProfile, places: int, moved: float) -> bool:
    """Whether the mean is near that of the baseline with ``moved`` of it times 10^places.

    As near as a column that shows part of its range may be.  Where fixed point reached its end there is no mean.
    """
    if abs(seen.total) >= REACH * seen.finite // 4:
        return True
    factor = 1 - moved + moved * 10.0**places
    spread = max(deviation(bins, reference), bins.step)
    return abs(mean(bins, seen) / factor - mean(bins, reference)) <= LOOSE_SPREADS * spread


def _undone(bins: Bins, reference: FeatureProfile, seen: FeatureProfile, places: int) -> bool:
    """Whether dividing by 10^places brings the baseline's distribution back.

    A genuine drift may move the exponents as well, and a counter moves them for certain; neither leaves centre and
    spread where they were, times a round factor.
    """
    if seen.finite < FEWEST_ROWS:
        return False
    if abs(seen.total) >= REACH * seen.finite // 2:
        return True
    factor, spread = 10.0**places, deviation(bins, reference)
    now, off = deviation(bins, seen) / factor, abs(mean(bins, seen) / factor - mean(bins, reference))
    if spread == 0:
        return max(now, off) <= bins.step * max(1.0, 1 / factor)
    low, high, slack = (0.1, 3.0, LOOSE_SPREADS) if abs(places) >= LOOSE_PLACES else (0.67, 1.5, 0.3)
    return low * spread <= now <= high * spread and off <= slack * spread


def _shares(profile: FeatureProfile) -> dict[int, float]:
    numbers = sum(count for _, count in profile.exponents)
    return {exponent: count / numbers for exponent, count in profile.exponents}


def _overlap(base: dict[int, float], now: dict[int, float], places: int) -> float:
    """Sum of the smaller share at each exponent, the baseline's moved by ``places``."""
    return sum(min(base.get(exponent - places, 0.0), share) for exponent, share in now.items())


def _usual(base: dict[int, float], now: dict[int, float], places: int) -> float:
    """Share of the epoch's numbers whose exponent, moved back by ``places``, is a usual one."""
    return sum(share for exponent, share in now.items() if base.get(exponent - places, 0.0) >= COMMON_SHARE)
