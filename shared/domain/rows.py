"""Rows as Arrow: the schemas that a contract implies, and the bytes of one batch.

A message carries the record-batch body alone; a self-contained stream would repeat the schema and costs kilobytes
for small batches.  The schema is a function of the contract, and the message's headers name the digest of the
pipeline file that holds it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from shared.domain.contract import Contract, Kind

ID = "_id"
POSITION = "_position"
LONGEST_NAME = 1 << 10
"""Bytes of an id or a class: states and counts hold many of them."""
EXACT = 2.0**53
"""From here on floats skip whole numbers, and two of them may be one."""
PREDICTED = "predicted"
SCORE = "score"

ARROW_TYPES: dict[Kind, pa.DataType] = {
    Kind.NUMBER: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.CATEGORY: pa.string(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TIMESTAMP: pa.timestamp("us", "UTC"),
}


def label_type(contract: Contract) -> pa.DataType:
    """Classes are strings, whatever they looked like at the door; regression targets are floats."""
    return pa.string() if contract.label.task == "classification" else pa.float64()


def ingested_schema(contract: Contract) -> pa.Schema:
    """``_id``, the features in the contract's order, the event time where it's none of them, the inline label."""
    fields = [pa.field(ID, pa.string())]
    fields += [pa.field(feature.name, ARROW_TYPES[feature.kind]) for feature in contract.features]
    if contract.event_time is not None and all(f.name != contract.event_time for f in contract.features):
        fields.append(pa.field(contract.event_time, ARROW_TYPES[Kind.TIMESTAMP]))
    if contract.label.arrives == "inline":
        fields.append(pa.field(contract.label.name, label_type(contract)))
    return pa.schema(fields)


def validated_schema(contract: Contract) -> pa.Schema:
    """As ingested, preceded by ``_position``: the row's place among its lane's received rows (rejects leave gaps)."""
    return ingested_schema(contract).insert(0, pa.field(POSITION, pa.int64()))


def labels_schema(contract: Contract) -> pa.Schema:
    return pa.schema([pa.field(ID, pa.string()), pa.field(contract.label.name, label_type(contract))])


def predictions_schema(contract: Contract) -> pa.Schema:
    return pa.schema(
        [
            pa.field(ID, pa.string()),
            pa.field(POSITION, pa.int64()),
            pa.field(PREDICTED, label_type(contract)),
            pa.field(SCORE, pa.float64()),
        ]
    )


def encode_batch(batch: pa.RecordBatch) -> bytes:
    return batch.serialize().to_pybytes()  # type: ignore[no-any-return]


def pieces(rows: pa.RecordBatch, most_bytes: int, most_rows: int = 1 << 14) -> Iterator[pa.RecordBatch]:
    """The rows in order, in parts that are within both limits; one row alone may be longer.

    Rows are bounded because stages add columns: what comes out of a message has to fit into one, too.
    """
    parts = max(-(-rows.nbytes // most_bytes), -(-rows.num_rows // most_rows))
    if parts <= 1 or rows.num_rows == 1:
        yield from (rows,) if rows.num_rows else ()
        return
    size = -(-rows.num_rows // min(parts, rows.num_rows))
    for start in range(0, rows.num_rows, size):
        yield from pieces(rows.slice(start, size), most_bytes, most_rows)


def decode_batch(value: bytes, schema: pa.Schema) -> pa.RecordBatch:
    return pa.ipc.read_record_batch(pa.py_buffer(value), schema)
