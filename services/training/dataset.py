"""The rows of a frozen range, as one table in label order. The same range gives the same rows on every attempt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shared.domain.contract import Contract
from shared.domain.rows import ID, POSITION, decode_batch, label_type, labels_schema, validated_schema
from shared.events.topics import LABELS, RECORDS_VALIDATED
from shared.events.training import DataRange, LaneRange
from shared.runtime.core import Message, Unit

ReadRange = Callable[[str, Unit, int, int], Iterable[Message]]
"""(topic, unit, from offset, to offset) -> that unit's messages."""
ContractOf = Callable[[Message], Contract]
"""The contract that a message's rows were typed by: an older one where a pipeline's file has changed since."""
SchemaOf = Callable[[Contract], pa.Schema]

LABEL_POSITION = "_label"
"""The row's place among the pipeline's labelled rows: what cuts and splits refer to."""
OFFSET = "_offset"


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows are read from, by which contract they were typed, and by which they are wanted."""

    contract: Contract
    read: ReadRange
    typed_by: ContractOf

    def rows(self, unit: Unit, first: int, last: int) -> pa.Table:
        return self._read(RECORDS_VALIDATED.name, unit, first, last, validated_schema)

    def labels(self, unit: Unit, first: int, last: int) -> pa.Table:
        return self._read(LABELS.name, unit, first, last, labels_schema)

    def _read(
        self, topic: str, unit: Unit, first: int, last: int, schema_of: Callable[[Contract], pa.Schema]
    ) -> pa.Table:
        """With the offset that each row was read from."""
        offset, wanted = pa.field(OFFSET, pa.int64()), schema_of(self.contract)
        batches = []
        for message in self.read(topic, unit, first, last):
            batch = conformed(decode_batch(message.value, schema_of(self.typed_by(message))), wanted)
            batches.append(batch.append_column(offset, pa.repeat(message.offset, batch.num_rows)))
        return pa.Table.from_batches(batches, wanted.append(offset))


def assemble(pipeline: str, source: Source, data: DataRange) -> pa.Table:
    """Labelled rows of the range: the validated columns, the label never null, excluded positions left out.

    Ordered by `LABEL_POSITION`, lanes in turn, since "the newest fifth" and weights by age go by the order.
    """
    schema = _columns(source.contract)
    of = 1 + max((lane.lane for lane in data.lanes), default=0)
    parts = [_lane(Unit(pipeline, lane.lane), source, lane, of).select(schema.names) for lane in data.lanes]
    table = pa.concat_tables(parts or [schema.empty_table()]).sort_by(LABEL_POSITION)
    for first, last in data.excluded:
        inside = pc.and_(pc.greater_equal(table[POSITION], first), pc.less(table[POSITION], last))
        table = table.filter(pc.invert(inside))
    return table.combine_chunks()


def conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch by another contract: columns by name, missing where the old one has none of the name and the kind."""
    if batch.schema == schema:
        return batch
    return pa.RecordBatch.from_arrays([_column(batch, field) for field in schema], schema=schema)


def _column(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    place = batch.schema.get_field_index(field.name)
    if place >= 0 and batch.schema.field(place).type == field.type:
        return batch.column(place)
    if place >= 0 and pa.types.is_integer(batch.schema.field(place).type) and pa.types.is_floating(field.type):
        return batch.column(place).cast(field.type, safe=False)
    return pa.nulls(batch.num_rows, field.type)


def content_hash(table: pa.Table) -> str:
    """SHA-256 of the rows as an Arrow stream: names the data set, whatever file it is kept in."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return hashlib.sha256(sink.getvalue()).hexdigest()


def label_positions(rows: pa.Table) -> NDArray[np.int64]:
    """Ascending, one per row; gaps where rows were left out."""
    return np.asarray(rows[LABEL_POSITION].to_numpy(), dtype=np.int64)


def _columns(contract: Contract) -> pa.Schema:
    schema = validated_schema(contract)
    if contract.label.arrives == "late":
        schema = schema.append(pa.field(contract.label.name, label_type(contract)))
    return schema.append(pa.field(LABEL_POSITION, pa.int64()))


def _lane(unit: Unit, source: Source, lane: LaneRange, of: int) -> pa.Table:
    """The lane's rows; ``of`` lanes take turns in the pipeline's count of labelled rows."""
    rows, label = source.rows(unit, lane.rows_from, lane.rows_to), source.contract.label
    if label.arrives == "inline":
        labelled = rows.filter(pc.is_valid(rows[label.name]))
    else:
        labelled = _join_late(rows, source.labels(unit, lane.labels_from, lane.labels_to), label.name, lane)
    labelled = labelled.slice(lane.first - lane.labelled, lane.last - lane.first)
    places = np.arange(lane.first, lane.first + labelled.num_rows) * of + lane.lane
    return labelled.append_column(LABEL_POSITION, pa.array(places, pa.int64()))


def _join_late(rows: pa.Table, labels: pa.Table, name: str, lane: LaneRange) -> pa.Table:
    """Rows that met their first label within the range, as prediction joined them: message by message, in the labels'
    order within each."""
    labels = labels.filter(pc.is_valid(labels[name]))
    ids = labels[ID].combine_chunks()
    labels = labels.take(pc.index_in(pc.unique(ids), ids))
    place = pc.index_in(labels[ID], rows[ID].combine_chunks())
    found = pc.is_valid(place)
    labels = labels.filter(found)
    rows = rows.take(place.filter(found)).append_column(name, labels[name])
    turn = _turns(rows[OFFSET].to_numpy(), labels[OFFSET].to_numpy(), lane.joins)
    order = np.argsort(turn, kind="stable")
    return rows.take(pa.array(order[turn[order] > 0]))


def _turns(rows: NDArray[np.int64], labels: NDArray[np.int64], joins: tuple[tuple[int, int], ...]) -> NDArray[np.int64]:
    """Of each pair's offsets, the first stretch of the range that had read both; 0 where that was before the range."""
    covered = [(rows < rows_to) & (labels < labels_to) for rows_to, labels_to in joins]
    return np.asarray(np.argmax(np.vstack([*covered, np.ones(len(rows), dtype=bool)]), axis=0), dtype=np.int64)
