"""A Parquet file."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from services.ingestion.formats._arrow import rows_of_batches
from services.ingestion.formats._limits import check_bytes, check_rows
from services.ingestion.formats._thrift import footer
from services.ingestion.raw import RawRows, UnreadableBody
from services.ingestion.registry import Format

BATCH = 1 << 14
"""Rows that are read before they are counted."""
TEXT = "BYTE_ARRAY"
ROW_GROUPS, COLUMNS, METADATA, ENCODINGS, VALUES, UNPACKED = 4, 1, 3, 2, 5, 6
"""Fields of FileMetaData, RowGroup, ColumnChunk, and three of ColumnMetaData (parquet.thrift)."""
SHARED = 7
"""DELTA_BYTE_ARRAY: texts share their beginnings, and nothing says how long they are before they are made."""
WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4}
WIDEST = 8
"""Bytes of a value in memory, by physical type; bytes of fixed length have a width of their own."""


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    metadata = pq.read_metadata(pa.BufferReader(body))
    check_rows(metadata.num_rows, wanted)
    try:
        check_bytes(sum(_sizes(body, metadata)))
    except (KeyError, TypeError) as error:
        raise UnreadableBody("unreadable", "the footer of the Parquet file lacks what it has to tell") from error
    # Texts stay in their dictionaries until they are measured: a kilobyte of indices may name a megabyte each.
    texts = [column.path for column in _columns(metadata) if column.physical_type == TEXT]
    file = pq.ParquetFile(pa.BufferReader(body), metadata=metadata, read_dictionary=texts)
    return rows_of_batches(file.iter_batches(BATCH, use_threads=False), file.schema_arrow, wanted)


def _columns(metadata: pq.FileMetaData) -> list[pq.ColumnSchema]:
    return [metadata.schema.column(place) for place in range(metadata.num_columns)]


def _sizes(body: bytes, metadata: pq.FileMetaData) -> Iterator[int]:
    """Bytes of each column of each row group: packed pages unpacked, and a value that comes often as often as it
    comes."""
    widths = [max(column.length or 0, WIDTHS.get(column.physical_type, WIDEST)) for column in _columns(metadata)]
    for group in footer(body)[ROW_GROUPS]:
        for chunk, width in zip(group[COLUMNS], widths, strict=True):
            told = chunk[METADATA]
            if SHARED in told[ENCODINGS]:
                raise UnreadableBody("unreadable", "encoding DELTA_BYTE_ARRAY is not read here: write texts PLAIN")
            yield max(told[UNPACKED], told[VALUES] * width)


FORMAT = Format("Parquet", ("application/vnd.apache.parquet",), read)
