"""Row ids: the same row of the same delivery has the same id on every attempt, so every fold counts it once."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from services.ingestion.raw import Numbers
from shared.events.base import derive_id


def batch_id(pipeline: str, key: str) -> str:
    """``key``: the sender's idempotency key, or the delivery's source position."""
    return derive_id("batch", pipeline, key)


def derived_ids(batch: str, numbers: Numbers) -> pa.Array:
    """``<batch>:<row>`` for each place in the delivery."""
    rows = pa.array(numbers).cast(pa.string())
    return pc.binary_join_element_wise(pa.scalar(batch, pa.string()), rows, pa.scalar(":", pa.string()))
