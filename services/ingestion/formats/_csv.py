"""How CSV is read, by the door and by the file reader alike: every column as text, unquoted nothing as null."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pacsv

if TYPE_CHECKING:
    from _csv import Reader


def header(stream: IO[bytes]) -> list[str]:
    """Column names of the first record; empty for a stream without one."""
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    try:
        return next(records(text), [])
    finally:
        text.detach()  # left to the collector, it would close the stream, and complain


def records(lines: Iterable[str]) -> Reader:
    """Python's reader, without its limit of 128 kilobytes a value, which Arrow's has not."""
    csv.field_size_limit(sys.maxsize)
    return csv.reader(lines)


def as_text(names: Sequence[str], wanted: Collection[str] | None = None) -> pacsv.ConvertOptions:
    """Types are the contract's business; guessing them here would contradict itself from one chunk to the next."""
    return pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        include_columns=None if wanted is None else [name for name in names if name in wanted],
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )


def parsing(invalid_row: Any = None) -> pacsv.ParseOptions:
    """A quoted value may hold line breaks; ``invalid_row`` hears of rows with too few or too many values."""
    return pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=invalid_row)
