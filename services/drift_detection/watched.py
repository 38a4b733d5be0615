"""Which features are watched: those of the baseline that the contract still has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from shared.domain.baseline import Baseline
from shared.domain.contract import Contract
from shared.domain.profile import Profile

Value = TypeVar("Value")


def watched(epoch: Profile, baseline: Baseline, contract: Contract) -> tuple[Profile, Baseline]:
    """Both without the features that the contract has given up: gone on purpose is neither a fault nor a drift."""
    named = {feature.name for feature in contract.features}
    if named.issuperset(baseline.names):
        return epoch, baseline
    places = [place for place, name in enumerate(baseline.names) if name in named]

    def kept(values: Sequence[Value]) -> tuple[Value, ...]:
        return tuple(values[place] for place in places)

    cut = replace(
        baseline,
        bins=kept(baseline.bins),
        features=kept(baseline.features),
        slices=tuple(kept(counts) for counts in baseline.slices),
        stays=kept(baseline.stays),
    )
    return replace(epoch, features=kept(epoch.features)), cut
