"""Epochs are positions: epoch k of a lane is its received rows [k·m/L, (k+1)·m/L), m rows of all L lanes together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slice:
    """Positions [first, last) of one epoch."""

    epoch: int
    first: int
    last: int


def slices(first: int, last: int, epoch_rows: int, lanes: int) -> Iterator[Slice]:
    """Cuts positions [first, last) of a lane at its epochs' bounds. Integers only: no bound may depend on rounding."""
    while first < last:
        epoch = first * lanes // epoch_rows
        bound = -(-(epoch + 1) * epoch_rows // lanes)
        stop = min(bound, last)
        yield Slice(epoch, first, stop)
        first = stop
