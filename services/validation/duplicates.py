"""Rows that were received before: the same id among the last accepted ones.

The window is bounded and holds hashes, so a state stays small; a repetition that comes later than the window is
caught by whoever folds by id.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from services.validation.registry import Mask, nobody

Hashes = np.ndarray[Any, np.dtype[np.uint64]]

WINDOW = 2048
"""Accepted ids that are remembered per lane."""
MESSAGES = 512
"""Messages that are remembered per lane: what a crash may have brought again, whatever number of rows it holds."""

RULE = "duplicate"
LITTLE_ENDIAN = np.dtype("<u8")

_FACTOR = 0x9E3779B97F4A7C15 | 1
_INVERSE = pow(_FACTOR, -1, 1 << 64)


def hashes_of(ids: pa.Array) -> Hashes:
    """A 64-bit hash of each id: the polynomial in an odd factor whose coefficients are the id's bytes, modulo 2^64.

    Differences of one running sum over the whole column give all of them, so no Python runs per id.  Part of stored
    states: never change it.
    """
    if not len(ids):
        return np.zeros(0, np.uint64)
    places = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset : ids.offset + len(ids) + 1].astype(np.int64)
    start, stop = int(places[0]), int(places[-1])
    if start == stop:
        return np.zeros(len(ids), np.uint64)
    # Plus one, or a leading zero byte would not count.
    letters = np.frombuffer(ids.buffers()[2], np.uint8)[start:stop].astype(np.uint64) + np.uint64(1)
    room = 1 << (stop - start).bit_length()
    sums = np.zeros(stop - start + 1, np.uint64)
    np.cumsum(letters * _powers(_FACTOR, room)[: stop - start], out=sums[1:])
    places -= start
    return (sums[places[1:]] - sums[places[:-1]]) * _powers(_INVERSE, room)[places[:-1]]


def repeated(hashes: Hashes, recent: bytes, eligible: Mask) -> Mask:
    """Which of the ``eligible`` rows were accepted before, or stand below another one of this batch."""
    seen = eligible & _among(hashes, recent) if recent else nobody(len(hashes))
    fresh = np.flatnonzero(eligible & ~seen)
    _, firsts = np.unique(hashes[fresh], return_index=True)
    if len(firsts) < len(fresh):
        seen[np.delete(fresh, firsts)] = True
    return seen


def remembered(recent: bytes, hashes: Hashes, window: int = WINDOW) -> bytes:
    """The window after these accepted rows. A rejected row is not in it: repaired, it comes back under its id."""
    return (recent + hashes.astype(LITTLE_ENDIAN).tobytes())[-window * LITTLE_ENDIAN.itemsize :]


def known(name: Hashes, recent: bytes) -> bool:
    """Whether the one hash is in the window."""
    return bool(recent) and bool(_among(name, recent)[0])


def _among(hashes: Hashes, recent: bytes) -> Mask:
    known = np.sort(np.frombuffer(recent, LITTLE_ENDIAN))
    return np.asarray(known[np.minimum(np.searchsorted(known, hashes), len(known) - 1)] == hashes)


@cache
def _powers(factor: int, count: int) -> Hashes:
    powers = np.full(count, factor, np.uint64)
    powers[0] = 1
    return np.cumprod(powers)
