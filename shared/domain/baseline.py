"""`Baseline`: what drift is measured against: bins and reference counts from training rows, numbered by generation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from shared.domain.bins import Bins, bins_of, slots_of
from shared.domain.contract import Contract, Kind
from shared.domain.counts import FeatureProfile, feature_profile

SLICES = 20
"""Consecutive equal slices of the training rows that are counted apart, for the self-check on exchangeability."""

SliceCounts = tuple[tuple[tuple[int, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Reference counts of ``rows`` training rows.

    ``features`` goes with ``bins``, place by place.  ``slices[i][j]``: counts of feature ``j`` in the i-th of `SLICES`
    consecutive slices of the training rows in the order of the stream.  ``stays``: per feature, how many neighbouring
    training rows shared a slot.
    """

    generation: int
    rows: int
    bins: tuple[Bins, ...]
    features: tuple[FeatureProfile, ...]
    slices: SliceCounts
    stays: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(bins.feature for bins in self.bins)


def baseline_of(contract: Contract, table: pa.Table, generation: int) -> Baseline:
    """Count training rows, given in the order of the stream."""
    bins = bins_of(contract.features, table)
    slots = [slots_of(each, table.column(each.feature)) for each in bins]
    ends = np.linspace(0, table.num_rows, SLICES + 1).astype(np.int64)
    return Baseline(
        generation=generation,
        rows=table.num_rows,
        bins=bins,
        features=tuple(feature_profile(each, table.column(each.feature)) for each in bins),
        slices=tuple(
            tuple(
                tuple(np.bincount(places[start:stop], minlength=each.size).tolist())
                for each, places in zip(bins, slots, strict=True)
            )
            for start, stop in pairwise(ends)
        ),
        stays=tuple(int((places[1:] == places[:-1]).sum()) for places in slots),
    )


def encode_baseline(baseline: Baseline) -> bytes:
    """Canonical JSON: equal baselines give equal bytes, so that the digest names the content."""
    return json.dumps(asdict(baseline), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def decode_baseline(data: bytes) -> Baseline:
    """The baseline back; TypeError or KeyError if the bytes are no baseline."""
    fields = json.loads(data)
    fields["bins"] = tuple(_decode_bins(each) for each in fields["bins"])
    fields["features"] = tuple(FeatureProfile(**_tuples(each)) for each in fields["features"])
    return Baseline(**_tuples(fields))


def _decode_bins(fields: dict[str, Any]) -> Bins:
    return Bins(**{**_tuples(fields), "kind": Kind(fields["kind"])})


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _frozen(value) for name, value in fields.items()}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value
