"""Rows as bytes: an Arrow stream wherever every column has one type, else NDJSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]
ARROW_STREAM, NDJSON = "application/vnd.apache.arrow.stream", "application/x-ndjson"


def size_of(row: Row) -> int:
    """About how many bytes a row will take."""
    return sum(len(value) if isinstance(value, str | bytes) else 16 for value in row.values())


def body_of(rows: Sequence[Row]) -> tuple[bytes, str]:
    """Bytes and content type. ValueError names a value that can't be sent."""
    batch = _batch(rows)
    return (stream_of(batch), ARROW_STREAM) if batch is not None else (_lines(rows), NDJSON)


def stream_of(batch: pa.RecordBatch) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def slices(batch: pa.RecordBatch, rows: int, size: int) -> Iterator[pa.RecordBatch]:
    """Pieces within both bounds, as far as rows are alike."""
    step = min(rows, max(1, batch.num_rows * size // max(1, batch.nbytes)))
    return (batch.slice(start, step) for start in range(0, batch.num_rows, step))


def _batch(rows: Sequence[Row]) -> pa.RecordBatch | None:
    """None where a column holds values of several types, which Arrow has no column for."""
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    if not names:
        return None
    try:
        return pa.RecordBatch.from_pydict({name: _column([row.get(name) for row in rows]) for name in names})
    except (pa.ArrowException, TypeError, OverflowError, ValueError):
        return None


def _column(values: list[Any]) -> pa.Array:
    """Types are told here where there can be doubt: Arrow by itself goes by the first value."""
    import pyarrow as pa

    kinds = set(map(type, values)) - {type(None)}
    if kinds == {float, int}:
        return pa.array(values, pa.float64())
    if kinds == {datetime}:
        return pa.array(values, pa.timestamp("us", "UTC"))
    if len(kinds) > 1:
        raise TypeError("several types")
    return pa.array(values)


def _lines(rows: Sequence[Row]) -> bytes:
    return b"\n".join(_line(row, place) for place, row in enumerate(rows))


def _line(row: Row, place: int) -> bytes:
    """By the standard library's encoder: the fast one writes infinities as null, and the door can read them."""
    try:
        return json.dumps(row, default=_plain, ensure_ascii=False).encode()
    except (TypeError, UnicodeEncodeError) as error:
        raise ValueError(f"row {place} of the delivery can't be written as JSON: {error}") from None


def _plain(value: Any) -> Any:
    """What JSON has no word for, as the door reads it: numpy's scalars, times, decimals and UUIDs."""
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise TypeError(f"a value of type {type(value).__name__}; send numbers, text, booleans or times")
