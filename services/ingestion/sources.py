"""Recorded streams from files, batch by batch: a file larger than memory is read like any other."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from services.ingestion.formats import _csv

BLOCK_BYTES = 1 << 20
PARQUET = (".parquet", ".pq")
GZIP = (".gz",)


class DataError(ValueError):
    """A file that can't be read as a stream of rows: which one, why, and what to do about it."""


def read_batches(path: Path, rows_per_batch: int) -> Iterator[pa.RecordBatch]:
    """Batches of ``rows_per_batch`` rows (the last one smaller), in the file's order.

    Reads ``.csv``, ``.csv.gz``, ``.parquet``.  Columns of CSV are text: no guess that a later chunk could contradict;
    `typed_batch` makes them what the contract says.  Raises `DataError`, for a late fault in the file after the
    batches before it.
    """
    try:
        source = _parquet(path, rows_per_batch) if path.suffix in PARQUET else _csv_file(path)
        yield from _resized(source, rows_per_batch)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text; write it as UTF-8") from error
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: {_cause(error)}") from error
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: can't be read: {error}") from error


def _csv_file(path: Path) -> Iterator[pa.RecordBatch]:
    names = _names(path)
    with pa.input_stream(str(path), compression="gzip" if path.suffix in GZIP else None) as stream:
        reader = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            parse_options=_csv.parsing(),
            convert_options=_csv.as_text(names),
        )
        with closing(reader):
            yield from _some_rows(reader, path)


def _names(path: Path) -> list[str]:
    with gzip.open(path) if path.suffix in GZIP else path.open("rb") as stream:
        names = _csv.header(cast(IO[bytes], stream))
    if not names:
        raise DataError(f"{path}: is empty; it needs a line of column names and rows")
    return _distinct(names, path)


def _distinct(names: list[str], path: Path) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: column {twice[0]!r} comes twice; rename one of them")
    return names


def _parquet(path: Path, rows_per_batch: int) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        _distinct(file.schema_arrow.names, path)
        yield from _some_rows(file.iter_batches(rows_per_batch, use_threads=False), path)


def _some_rows(batches: Iterator[pa.RecordBatch], path: Path) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        yield batch
    if rows == 0:
        raise DataError(f"{path}: has column names but no row")


def _resized(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of one size: what a batch holds must not depend on the reader's blocks."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        if count >= rows:
            whole = pa.concat_batches(waiting)
            full = count - count % rows
            yield from (whole.slice(start, rows) for start in range(0, full, rows))
            waiting, count = [whole.slice(full)], count - full
    if count:
        yield pa.concat_batches(waiting)


def _cause(error: pa.ArrowInvalid) -> str:
    """Arrow's message in the reader's words; the file is the person's own, so it may be quoted."""
    text = " ".join(str(error).split())
    if "Empty CSV" in text:
        return "has column names but no row"
    return "is not UTF-8 text; write it as UTF-8" if "invalid UTF8" in text else text
