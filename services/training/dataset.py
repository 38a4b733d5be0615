"""The rows of a frozen range, as one table in label order. The same range gives the same rows on every attempt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from shared.domain.contract import Contract
from shared.domain.rows import ID, POSITION, decode_batch, labels_schema, validated_schema
from shared.events.topics import LABELS, RECORDS_VALIDATED
from shared.events.training import DataRange, LaneRange
from shared.runtime.core import Message, Unit

ReadRange = Callable[[str, Unit, int, int], Iterable[Message]]
"""(topic, unit, from offset, to offset) -> that unit's messages."""


def assemble(pipeline: str, contract: Contract, data: DataRange, read: ReadRange) -> pa.Table:
    """Labelled rows of the range: the validated columns, the label never null, excluded positions left out."""
    parts = [_lane(Unit(pipeline, lane.lane), contract, lane, read) for lane in data.lanes]
    table = pa.concat_tables(parts) if parts else validated_schema(contract).empty_table()
    for first, last in data.excluded:
        inside = pc.and_(pc.greater_equal(table[POSITION], first), pc.less(table[POSITION], last))
        table = table.filter(pc.invert(inside))
    return table.combine_chunks()


def content_hash(table: pa.Table) -> str:
    """SHA-256 of the rows as an Arrow stream: names the data set, whatever file it is kept in."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def _lane(unit: Unit, contract: Contract, lane: LaneRange, read: ReadRange) -> pa.Table:
    rows = _read(RECORDS_VALIDATED.name, unit, lane.rows_from, lane.rows_to, validated_schema(contract), read)
    if contract.label.arrives == "inline":
        labelled = rows.filter(pc.is_valid(rows[contract.label.name]))
    else:
        labelled = _join_late(rows, unit, contract, lane, read)
    return labelled.slice(lane.first - lane.labelled, lane.last - lane.first)


def _join_late(rows: pa.Table, unit: Unit, contract: Contract, lane: LaneRange, read: ReadRange) -> pa.Table:
    """Rows of the range whose label lies in the label range, in the labels' order; the first label wins."""
    name = contract.label.name
    labels = _read(LABELS.name, unit, lane.labels_from, lane.labels_to, labels_schema(contract), read)
    labels = labels.filter(pc.is_valid(labels[name]))
    ids = labels[ID].combine_chunks()
    labels = labels.take(pc.index_in(pc.unique(ids), ids))
    place = pc.index_in(labels[ID], rows[ID].combine_chunks())
    found = pc.is_valid(place)
    return rows.take(place.filter(found)).append_column(name, labels[name].filter(found))


def _read(topic: str, unit: Unit, start: int, end: int, schema: pa.Schema, read: ReadRange) -> pa.Table:
    batches = [decode_batch(message.value, schema) for message in read(topic, unit, start, end)]
    return pa.Table.from_batches(batches, schema)
