"""Profiles of the rows just judged, one per epoch that they touch."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from services.validation.epochs import slices
from services.validation.plan import Plan
from services.validation.verdict import Verdict
from shared.domain.baseline import Baseline
from shared.domain.profile import Profile, profile_of
from shared.domain.rows import ARROW_TYPES


def profiles(
    batch: pa.RecordBatch, verdict: Verdict, baseline: Baseline, plan: Plan, *, lane: int, first: int
) -> Iterator[Profile]:
    """``first``: the position in its lane of the batch's first row."""
    rows = _comparable(batch, baseline)
    event_time = plan.pipeline.contract.event_time
    for part in slices(first, first + batch.num_rows, plan.pipeline.drift.inputs.epoch, plan.pipeline.lanes):
        start, stop = part.first - first, part.last - first
        yield profile_of(
            rows.slice(start, stop - start),
            baseline,
            verdict.accepted[start:stop],
            verdict.rejects(start, stop),
            lane=lane,
            epoch=part.epoch,
            first=part.first,
            event_time=event_time if event_time in rows.schema.names else None,
        )


def _comparable(batch: pa.RecordBatch, baseline: Baseline) -> pa.RecordBatch:
    """The batch with every column that the baseline counts. After a change of the contract a column may be gone or of
    another type: then it counts as missing, since profiles must follow on each other without a gap."""
    for bins in baseline.bins:
        place, kind = batch.schema.get_field_index(bins.feature), ARROW_TYPES[bins.kind]
        nulls = pa.nulls(batch.num_rows, kind) if place < 0 or batch.schema.field(place).type != kind else None
        if nulls is not None and place < 0:
            batch = batch.append_column(bins.feature, nulls)
        elif nulls is not None:
            batch = batch.set_column(place, bins.feature, nulls)
    return batch
