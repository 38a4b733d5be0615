"""An Arrow IPC stream: self-contained, schema included."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from services.ingestion.formats._arrow import rows_of_batches
from services.ingestion.formats._ipc import declarations
from services.ingestion.formats._limits import check_bytes, check_rows
from services.ingestion.raw import ARROW_STREAM, RawRows, UnreadableBody
from services.ingestion.registry import Format


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    _check(body, wanted)
    with pa.ipc.open_stream(pa.py_buffer(body)) as reader:
        return rows_of_batches(reader, reader.schema, wanted)


def _check(body: bytes, wanted: Collection[str]) -> None:
    """Before anything is unpacked: that it is not too much, and that nothing follows, which nobody would read."""
    source = pa.BufferReader(body)
    rows = size = 0
    for declared in declarations(source):
        rows, size = rows + declared.rows, size + declared.size
        check_rows(rows, wanted)
        check_bytes(size)
    left = len(body) - source.tell()
    if left:
        raise UnreadableBody("unreadable", f"{left:,} bytes follow the end of the Arrow stream: send one stream a body")


FORMAT = Format("Arrow stream", (ARROW_STREAM,), read)
