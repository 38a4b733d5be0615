"""`Profile`: the counts of one slice of received rows. It never holds a record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shared.domain.baseline import Baseline
from shared.domain.counts import FeatureProfile, feature_profile

__all__ = ["FeatureProfile", "Profile", "merge", "profile_of"]

Rejects = tuple[tuple[str, int], ...]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts of the received rows ``[first, last)`` of one epoch.

    ``lane`` is None once lanes are merged; positions are then the smallest first and the largest last of the lanes.
    ``rejects``: sorted (rule, rows), a rule being written ``name:column``; a row that breaks two rules counts under
    both.  ``features``: in the order of the baseline's bins, over accepted rows.  ``earliest``, ``latest``: event time
    of accepted rows in milliseconds, None where the contract names no event time or the slice holds none.  ``late``:
    rows that arrived after their block had closed.
    """

    generation: int
    lane: int | None
    epoch: int
    first: int
    last: int
    received: int
    accepted: int
    rejects: Rejects
    features: tuple[FeatureProfile, ...]
    earliest: int | None = None
    latest: int | None = None
    late: int = 0


def profile_of(
    batch: pa.RecordBatch,
    baseline: Baseline,
    accepted: Mask,
    rejects: Rejects,
    *,
    lane: int,
    epoch: int,
    first: int,
    event_time: str | None = None,
    late: int = 0,
) -> Profile:
    """Count a slice of received rows that starts at position ``first`` of its lane.

    ``accepted``: one boolean per row of the batch.
    """
    kept = batch if accepted.all() else batch.filter(pa.array(accepted))
    earliest, latest = _times(kept, event_time)
    return Profile(
        generation=baseline.generation,
        lane=lane,
        epoch=epoch,
        first=first,
        last=first + batch.num_rows,
        received=batch.num_rows,
        accepted=kept.num_rows,
        rejects=tuple(sorted(rejects)),
        features=tuple(feature_profile(bins, kept.column(bins.feature)) for bins in baseline.bins),
        earliest=earliest,
        latest=latest,
        late=late,
    )


def merge(left: Profile, right: Profile) -> Profile:
    """The profile of two slices of one epoch: associative, commutative and exact.

    ValueError if they belong to different generations or epochs: their counts mean different things.
    """
    if (left.generation, left.epoch) != (right.generation, right.epoch):
        raise ValueError(
            f"profiles of generation {left.generation} epoch {left.epoch} and generation {right.generation} epoch "
            f"{right.epoch} can't be merged: group profiles by generation and epoch first"
        )
    return Profile(
        generation=left.generation,
        lane=left.lane if left.lane == right.lane else None,
        epoch=left.epoch,
        first=min(left.first, right.first),
        last=max(left.last, right.last),
        received=left.received + right.received,
        accepted=left.accepted + right.accepted,
        rejects=_add_rejects(left.rejects, right.rejects),
        features=tuple(a + b for a, b in zip(left.features, right.features, strict=True)),
        earliest=min((t for t in (left.earliest, right.earliest) if t is not None), default=None),
        latest=max((t for t in (left.latest, right.latest) if t is not None), default=None),
        late=left.late + right.late,
    )


def _add_rejects(left: Rejects, right: Rejects) -> Rejects:
    both = dict(left)
    for rule, rows in right:
        both[rule] = both.get(rule, 0) + rows
    return tuple(sorted(both.items()))


def _times(batch: pa.RecordBatch, event_time: str | None) -> tuple[int | None, int | None]:
    if event_time is None:
        return None, None
    ends = pc.min_max(batch.column(event_time).cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64()))
    return ends["min"].as_py(), ends["max"].as_py()
