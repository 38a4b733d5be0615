"""What ingestion writes: typed rows by lane, and dead letters."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from services.ingestion.delivery import Action, Delivery
from services.ingestion.raw import DeadRow, Numbers
from shared.domain.rows import ID, encode_batch, pieces
from shared.events.data import (
    FILE,
    LABELS_INGESTED_V1,
    RECORD_REFUSED_V1,
    RECORDS_INGESTED_V1,
    REPLAYED,
    data_headers,
    error_headers,
    message_id,
)
from shared.events.letters import letter
from shared.events.topics import LABELS, RECORDS_INGESTED, Topic
from shared.runtime.core import Append, Unit

STAGE = "ingestion"
FILL = 0.6
"""Of a topic's largest message, for rows: the rest is for framing, headers, and columns that are added later."""

TOPICS: dict[Action, Topic] = {"records": RECORDS_INGESTED, "labels": LABELS}
TYPES: dict[Action, str] = {"records": RECORDS_INGESTED_V1, "labels": LABELS_INGESTED_V1}


def rows_appends(
    rows: pa.RecordBatch,
    *,
    action: Action,
    pipeline: str,
    lanes: int,
    file: str,
    batch: str,
    now: int,
    cause: str = "",
    trace: str = "",
    replayed: int = 0,
) -> Iterator[Append]:
    """Messages that carry typed rows, lane by lane, in the delivery's order within each.

    ``file``: digest of the pipeline file whose contract typed them; ``batch``: the delivery's id; ``now``: epoch
    milliseconds.
    """
    topic = TOPICS[action]
    for lane, part in by_lane(rows, lanes):
        for place, piece in enumerate(pieces(part, int(topic.max_message_bytes * FILL))):
            extra = {FILE: file, "batch": batch, "rows": piece.num_rows, "lane": lane, **_replayed(replayed)}
            identity = (batch, lane, place)
            headers = data_headers(TYPES[action], pipeline, identity, now, extra, cause=cause, trace=trace)
            yield Append(topic.name, Unit(pipeline, lane), encode_batch(piece), headers)


def dead_appends(
    dead: Iterable[tuple[DeadRow, bytes]],
    delivery: Delivery,
    *,
    media_type: str,
    pipeline: str,
    file: str,
    batch: str,
    whole: bool = False,
) -> Iterator[Append]:
    """One letter per dead row: its original bytes, readable alone as ``media_type``, and the reason.

    ``whole``: no row could be told apart, so the letter names none.
    """
    cause = message_id(delivery.source) if delivery.source else ""
    for row, original in dead:
        extra: dict[str, object] = {FILE: file, "batch": batch, "driftloop.action": delivery.action}
        extra |= _replayed(delivery.replayed) | ({} if whole else {"row": row.row})
        headers = data_headers(
            RECORD_REFUSED_V1, pipeline, (batch, row.row), delivery.now, extra, cause=cause, trace=delivery.trace
        )
        headers["content-type"] = media_type
        headers |= error_headers(STAGE, "RowRefused", row.message, row.reason, delivery.source)
        yield letter(Unit(pipeline, 0), original, headers)


def _replayed(number: int) -> dict[str, object]:
    return {REPLAYED: number} if number else {}


def by_lane(rows: pa.RecordBatch, lanes: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Rows of each lane that gets any. The lane is a stable hash of the id, so a late label meets its row."""
    if not rows.num_rows:
        return
    if lanes == 1:
        yield 0, rows
        return
    lane = lanes_of(rows.column(ID).to_pylist(), lanes)
    for each in np.unique(lane).tolist():
        yield each, rows.take(pa.array(np.flatnonzero(lane == each)))


def lanes_of(ids: Iterable[str], lanes: int) -> Numbers:
    """CRC-32 of the id, modulo lanes: the same in every language that a producer may be written in."""
    return np.fromiter((zlib.crc32(each.encode()) % lanes for each in ids), dtype=np.int64)
