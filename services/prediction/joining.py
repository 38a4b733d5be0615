"""Predictions meet their labels, which may come late, early, twice or never.

Three small tables per lane, each kept as Arrow bytes in the state: predictions that wait for a label, labels that
wait for a prediction, and recent joins (to know a second label from an early one).  All are bounded by the same
number of received rows, and together by `ROOM`: labels that come while no rows do move no row count.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from shared.domain.rows import ID, POSITION, PREDICTED

VERSION = "version"
OFFSET = "offset"
LABEL = "label"
LABEL_OFFSET = "label_offset"
LOSS_SCALE = "loss_scale"

ROOM = (15 << 20) // 4 * 3
"""Bytes of the three tables together. States travel as base64, so these are 15 MiB of the 16 that a state may have in
the log; all else in it takes a few hundred bytes. A state that is longer could never be saved, and its lane would stop.
"""
EARLY = 1 << 20
"""Bytes of `ROOM` that rows leave to labels. They get all that is free; a flood of them takes no more from rows."""
FRAMING = 4 << 10
"""Bytes of a stored table beside its values, at most: its schema, and what fills columns up to whole words."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The tables as Arrow streams; empty bytes where a table is empty."""

    predictions: bytes = b""
    labels: bytes = b""
    joined: bytes = b""


@dataclass(frozen=True, slots=True)
class Join:
    """What one input brought together: ``rows`` has _id, _position, predicted, version, label, in label order."""

    waiting: Waiting
    rows: pa.Table | None
    conflicting: int = 0
    unlabelled: int = 0
    unmatched: int = 0

    @property
    def rows_from(self) -> int | None:
        """Lowest log offset that holds one of the joined rows; None if nothing was joined."""
        return _lowest(self.rows, OFFSET)

    @property
    def labels_from(self) -> int | None:
        """Lowest log offset that holds one of their labels; None if nothing was joined, or labels are inline."""
        return _lowest(self.rows, LABEL_OFFSET)

    @property
    def joined_row(self) -> int:
        """Highest received position among the joined rows, plus one; 0 if nothing was joined."""
        return 0 if self.rows is None or not len(self.rows) else pc.max(self.rows[POSITION]).as_py() + 1


def _lowest(rows: pa.Table | None, column: str) -> int | None:
    if rows is None or not len(rows) or column not in rows.column_names:
        return None
    return pc.min(rows[column]).as_py()  # type: ignore[no-any-return]


def add_predictions(waiting: Waiting, predictions: pa.Table, horizon: int) -> Join:
    """Newly predicted rows: some labels may be here already; rows before position ``horizon`` are given up."""
    early, rows = _load(waiting.labels), None
    if early is not None:
        rows, predictions, early = _match(predictions, early)
        waiting = _remember(replace(waiting, labels=_dump(early)), rows, horizon)
    waiting, unlabelled, unmatched = _give_up(waiting, horizon)
    waiting = replace(waiting, predictions=_append(waiting.predictions, predictions))
    return _within_room(Join(waiting, rows, 0, unlabelled, unmatched))


def add_labels(waiting: Waiting, labels: pa.Table, now: int, horizon: int, offset: int = 0) -> Join:
    """Newly arrived labels (_id, label) at received position ``now``, log offset ``offset``. A record's first wins."""
    fresh, conflicting = _without_second_labels(labels, _load(waiting.joined), _load(waiting.labels))
    fresh = fresh.append_column(POSITION, pa.array([now] * len(fresh), pa.int64()))
    fresh = fresh.append_column(LABEL_OFFSET, pa.array([offset] * len(fresh), pa.int64()))
    predictions = _load(waiting.predictions)
    if predictions is None:
        return _within_room(Join(replace(waiting, labels=_append(waiting.labels, fresh)), None, conflicting))
    rows, open_predictions, open_labels = _match(predictions, fresh)
    waiting = Waiting(_dump(open_predictions), _append(waiting.labels, open_labels), waiting.joined)
    return _within_room(Join(_remember(waiting, rows, horizon), rows, conflicting))


def _match(predictions: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table, pa.Table]:
    """(joined in label order, predictions left, labels left)."""
    place = pc.index_in(labels[ID], predictions[ID].combine_chunks())
    found = pc.is_valid(place)
    rows = predictions.take(place.filter(found)).append_column(LABEL, labels[LABEL].filter(found))
    rows = rows.append_column(LABEL_OFFSET, labels[LABEL_OFFSET].filter(found))
    left = pc.invert(pc.is_in(predictions[ID], labels[ID].combine_chunks()))
    return rows, predictions.filter(left), labels.filter(pc.invert(found))


def _without_second_labels(labels: pa.Table, joined: pa.Table | None, early: pa.Table | None) -> tuple[pa.Table, int]:
    """Labels of records that have none yet, and how many of the others differ from the first one, wherever that is."""
    conflicting = 0
    for known in (joined, early):
        if known is None:
            continue
        place = pc.index_in(labels[ID], known[ID].combine_chunks())
        second = pc.is_valid(place)
        if pc.any(second).as_py():
            same = pc.equal(labels[LABEL].filter(second), known[LABEL].take(place.filter(second)))
            conflicting += pc.sum(pc.invert(same)).as_py() or 0
            labels = labels.filter(pc.invert(second))
    labels, differing = _first_of_each(labels)
    return labels, conflicting + differing


def _first_of_each(labels: pa.Table) -> tuple[pa.Table, int]:
    """One label per record within a message; the rest counted where they differ."""
    ids = labels[ID].combine_chunks()
    first = pc.index_in(ids, pc.unique(ids))
    if len(pc.unique(ids)) == len(ids):
        return labels, 0
    seen: dict[int, int] = {}
    keep = [seen.setdefault(value, row) == row for row, value in enumerate(first.to_pylist())]
    origin = pa.array([seen[value] for value in first.to_pylist()], pa.int64())
    differs = pc.not_equal(labels[LABEL], labels[LABEL].take(origin))
    return labels.filter(pa.array(keep)), pc.sum(differs).as_py() or 0


def _give_up(waiting: Waiting, horizon: int) -> tuple[Waiting, int, int]:
    """What is left, and how many predictions and labels went."""
    predictions, labels = _load(waiting.predictions), _load(waiting.labels)
    kept, kept_labels = _since(predictions, horizon), _since(labels, horizon)
    lost, lost_labels = _rows(predictions) - _rows(kept), _rows(labels) - _rows(kept_labels)
    if not lost and not lost_labels:
        return waiting, 0, 0
    return replace(waiting, predictions=_dump(kept), labels=_dump(kept_labels)), lost, lost_labels


def _within_room(join: Join) -> Join:
    """Where the tables are longer than `ROOM`, the oldest of each go: waiting rows last, then labels, joins first."""
    waiting = join.waiting
    if len(waiting.predictions) + len(waiting.labels) + len(waiting.joined) <= ROOM:
        return join
    predictions, lost = _newest(waiting.predictions, ROOM - min(len(waiting.labels), EARLY))
    labels, lost_labels = _newest(waiting.labels, ROOM - len(predictions))
    joined, _ = _newest(waiting.joined, ROOM - len(predictions) - len(labels))
    waiting = Waiting(predictions, labels, joined)
    return replace(join, waiting=waiting, unlabelled=join.unlabelled + lost, unmatched=join.unmatched + lost_labels)


def _newest(stored: bytes, room: int) -> tuple[bytes, int]:
    """The rows that were added last, as many as there is room for, and how many went."""
    table = _load(stored)
    if table is None or len(stored) <= room:
        return stored, 0
    lost = bisect_left(range(len(table)), FRAMING - room, key=lambda start: -table.slice(start).nbytes)
    return _dump(table.slice(lost)), lost


def _rows(table: pa.Table | None) -> int:
    return 0 if table is None else len(table)


def _remember(waiting: Waiting, rows: pa.Table, horizon: int) -> Waiting:
    if not len(rows):
        return waiting
    joined = _append(waiting.joined, rows.select([ID, POSITION, LABEL]))
    return replace(waiting, joined=_dump(_since(_load(joined), horizon)))


def _since(table: pa.Table | None, horizon: int) -> pa.Table | None:
    if table is None or not len(table) or pc.min(table[POSITION]).as_py() >= horizon:
        return table
    return table.filter(pc.greater_equal(table[POSITION], horizon))


def _append(stored: bytes, more: pa.Table) -> bytes:
    table = _load(stored)
    return _dump(more if table is None else pa.concat_tables([table, more.select(table.column_names)]))


def _load(stored: bytes) -> pa.Table | None:
    return pa.ipc.open_stream(stored).read_all() if stored else None


def _dump(table: pa.Table | None) -> bytes:
    if table is None or not len(table):
        return b""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def predictions_table(
    batch: pa.RecordBatch, predicted: pa.Array, version: str | None, loss_scale: float, offset: int
) -> pa.Table:
    """What waits for labels: ids, places, and what which version said (nulls where none served).

    The version's loss scale waits with it: whoever serves when the label comes must not change what it counts.
    """
    return pa.table(
        {
            ID: batch.column(ID),
            POSITION: batch.column(POSITION),
            PREDICTED: predicted,
            VERSION: pa.array([version] * batch.num_rows, pa.string()),
            LOSS_SCALE: pa.array([loss_scale] * batch.num_rows, pa.float64()),
            OFFSET: pa.array([offset] * batch.num_rows, pa.int64()),
        }
    )
