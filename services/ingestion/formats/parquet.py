"""A Parquet file."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.parquet as pq

from services.ingestion.raw import RawRows, one_row, rows_of_table
from services.ingestion.registry import Format


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    table = pq.ParquetFile(pa.BufferReader(body)).read(use_threads=False)
    table.validate(full=True)
    return rows_of_table(table, wanted, lambda row: one_row(table, row))


FORMAT = Format("Parquet", ("application/vnd.apache.parquet",), read)
