"""Bins: how one feature's values become a fixed number of integer counts.

Every feature ends in two slots of its own, *missing* (null or NaN) and *unseen* (a category that training never
saw), so ``counts[-2]`` and ``counts[-1]`` mean the same for all of them.  Before those come

* for numbers: the bins between ``edges``; bin ``i`` holds values with exactly ``i`` edges at or below them.  The
  first edge is the smallest training value and the last one is just above the largest, so the two outer bins are
  empty on the training rows and hold what falls outside their range, infinities included.  Equal quantiles are
  dropped: discrete columns get fewer bins, a constant one gets *below, equal, above*, an all-null one a single bin.
* for categories and booleans: one per frequent value, then *other*: the training values that were too rare for a
  slot of their own.  A column with more than `VOCABULARY` training values is open: a new value is no news there and
  counts as other.

Timestamps have no bins: they always move.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shared.domain.contract import Feature, Kind

INNER_BINS = 12
"""Quantile bins of a number; with the two outer ones that makes 14."""

TOP_VALUES = 13
"""Slots for the frequent values of a category; with *other* that makes 14."""

VOCABULARY = 1000
"""Training values of a category that are remembered by name."""

RESOLUTION_BITS = 9
"""Fixed-point sums resolve a spread (standard deviation) into 2**9 steps, so a hundredth of it into five."""

_LAST_BUT_ONE = math.nextafter(sys.float_info.max, 0.0)

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Counts = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Bins:
    """One feature's slots, and the scale of its fixed-point sums: a value counts as round((value - centre) / step).

    ``rare`` holds the training values behind *other*; ``open`` says that there were too many to remember.
    """

    feature: str
    kind: Kind
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()
    open: bool = False
    centre: float = 0.0
    step: float = 1.0

    @property
    def numeric(self) -> bool:
        return self.kind in (Kind.NUMBER, Kind.INTEGER)

    @property
    def size(self) -> int:
        """Number of slots, missing and unseen included."""
        return len(self.edges if self.numeric else self.values) + 3


def bins_of(features: Iterable[Feature], table: pa.Table) -> tuple[Bins, ...]:
    """Bins from training rows, in the contract's order, without the timestamp columns."""
    return tuple(_bins(feature, table.column(feature.name)) for feature in features if feature.kind != Kind.TIMESTAMP)


def slots_of(bins: Bins, column: pa.Array | pa.ChunkedArray) -> Counts:
    """The slot of every value of a column."""
    return _number_slots(bins, numbers(column)) if bins.numeric else _category_slots(bins, column)


def counts_of(bins: Bins, column: pa.Array | pa.ChunkedArray) -> Counts:
    """Counts of a column's values, int64 of shape ``(bins.size,)``."""
    return np.bincount(slots_of(bins, column), minlength=bins.size).astype(np.int64)


def numbers(column: pa.Array | pa.ChunkedArray) -> Numbers:
    """A numeric column as float64, nulls as NaN."""
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def texts(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A category or boolean column as one array of strings (booleans as ``true`` and ``false``)."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return whole.cast(pa.string())


def _bins(feature: Feature, column: pa.ChunkedArray) -> Bins:
    if feature.kind in (Kind.NUMBER, Kind.INTEGER):
        return _number_bins(feature, numbers(column))
    return _category_bins(feature, texts(column))


def _number_bins(feature: Feature, values: Numbers) -> Bins:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return Bins(feature.name, feature.kind)
    inner = np.quantile(finite, np.arange(INNER_BINS) / INNER_BINS, method="inverted_cdf")
    edges = np.unique(np.append(inner, math.nextafter(min(float(finite.max()), _LAST_BUT_ONE), math.inf)))
    centre, step = _scale(finite)
    return Bins(feature.name, feature.kind, edges=tuple(edges.tolist()), centre=centre, step=step)


def _scale(finite: Numbers) -> tuple[float, float]:
    """Centre (the median, a training value) and step, a power of two so that dividing by it is exact."""
    centre = float(np.quantile(finite, 0.5, method="inverted_cdf"))
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(np.std(finite))
    if not math.isfinite(spread) or spread <= abs(centre) * 1e-9:
        spread = abs(centre) or 1.0
    exponent = max(math.frexp(spread)[1] - RESOLUTION_BITS, -1021)
    return centre, math.ldexp(1.0, exponent)


def _number_slots(bins: Bins, values: Numbers) -> Counts:
    slots = np.searchsorted(np.asarray(bins.edges), values, side="right")
    slots[np.isnan(values)] = bins.size - 2
    return slots


def _category_bins(feature: Feature, column: pa.Array) -> Bins:
    known = pc.value_counts(column.drop_null())
    ranked = sorted(
        zip(known.field("values").to_pylist(), known.field("counts").to_pylist(), strict=True),
        key=lambda pair: (-pair[1], pair[0]),
    )
    names = [name for name, _ in ranked]
    is_open = len(names) > VOCABULARY
    rare = () if is_open else tuple(sorted(names[TOP_VALUES:]))
    return Bins(feature.name, feature.kind, values=tuple(names[:TOP_VALUES]), rare=rare, open=is_open)


def _category_slots(bins: Bins, column: pa.Array | pa.ChunkedArray) -> Counts:
    column = texts(column)
    known = pa.array([*bins.values, *bins.rare], pa.string())
    places = pc.fill_null(pc.index_in(column, value_set=known, skip_nulls=True), len(known)).to_numpy()
    other, unknown = len(bins.values), len(bins.values) if bins.open else bins.size - 1
    slots = np.where(places < other, places, np.where(places < len(known), other, unknown))
    slots[column.is_null().to_numpy(zero_copy_only=False)] = bins.size - 2
    return slots.astype(np.int64)
