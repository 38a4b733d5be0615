"""What a format makes of a delivery: columns of whatever types it found, and a way back to every row's bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]
ARROW_STREAM = "application/vnd.apache.arrow.stream"
Column: TypeAlias = pa.Array | pa.ChunkedArray
TOO_LARGE, TOO_MANY_ROWS = "body-too-large", "too-many-rows"
"""Reasons of a body that would take more memory than a delivery may."""


class UnreadableBody(ValueError):
    """A body of which not one row can be told apart. ``reason`` is its code; the text is a sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class DeadRow:
    """A row that can't go on: its place in the delivery, and why. The sentence holds no value of the row."""

    row: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RawRows:
    """A delivery's rows, loosely typed.

    ``numbers``: the place in the delivery of each row of ``columns`` (``dead`` ones leave gaps).  ``nested`` and
    ``rounded``: per column of text that stands in for mixed types, which values were lists or objects, and which were
    floats that others may have become.  ``original``: the bytes of the row at a place, readable on their own as
    ``media_type``.  ``ignored``: columns nobody wanted.  ``key``: what the data itself says names the delivery (a
    CloudEvent's source and id), or "".
    """

    columns: Mapping[str, Column]
    numbers: Numbers
    original: Callable[[int], bytes]
    media_type: str
    dead: tuple[DeadRow, ...] = ()
    nested: Mapping[str, Mask] = field(default_factory=dict)
    rounded: Mapping[str, Mask] = field(default_factory=dict)
    ignored: int = 0
    key: str = ""

    @property
    def received(self) -> int:
        return len(self.numbers) + len(self.dead)


def rows_of_table(table: pa.Table, wanted: Collection[str], original: Callable[[int], bytes]) -> RawRows:
    """Raw rows of a table whose rows have no bytes of their own; ``original`` writes one as an Arrow stream.

    UnreadableBody if a column comes twice: nobody could say which one is meant.
    """
    names = table.column_names
    refuse_twins(names)
    return RawRows(
        columns={name: table.column(name) for name in names if name in wanted},
        numbers=np.arange(table.num_rows),
        original=original,
        media_type=ARROW_STREAM,
        ignored=sum(name not in wanted for name in names),
    )


def one_row(table: pa.Table | pa.RecordBatch, row: int) -> bytes:
    """One row as a self-contained Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write(table.slice(row, 1))
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def refuse_twins(names: Collection[str]) -> None:
    if len(set(names)) < len(names):
        raise UnreadableBody("duplicate-column", "a column name comes twice in the data: rename one of them")
