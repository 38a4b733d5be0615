"""CSV with a header line."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from services.ingestion.formats import _csv
from services.ingestion.formats._limits import check_rows
from services.ingestion.raw import DeadRow, RawRows, UnreadableBody, refuse_twins
from services.ingestion.registry import Format

CSV = "text/csv"


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    check_rows(max(body.count(b"\n"), body.count(b"\r")), wanted)
    names = _csv.header(io.BytesIO(body))
    refuse_twins(names)
    dead: list[DeadRow] = []
    table = _table(body, names, wanted, dead)
    gaps = {row.row for row in dead}
    received = table.num_rows + len(dead)
    return RawRows(
        columns={name: table.column(name) for name in names if name in wanted},
        numbers=np.array([row for row in range(received) if row not in gaps], dtype=np.int64)
        if gaps
        else np.arange(received),
        original=originals(body),
        media_type=CSV,
        dead=tuple(dead),
        ignored=sum(name not in wanted for name in names),
    )


def originals(body: bytes) -> Callable[[int], bytes]:
    """The header and one row, as they were sent: a row alone would not say what its values are.

    All are looked for at the first one that is asked for: a look for each would cost the square of their number.
    """
    sent = cache(lambda: list(_records(body.decode("utf-8-sig", "surrogateescape"))))
    return lambda row: (sent()[0] + sent()[1 + row]).encode("utf-8", "surrogateescape")


def _records(text: str) -> Iterator[str]:
    """The text of each record, by the lines that the parser took for it."""
    lines = io.StringIO(text, newline="").readlines()
    reader = _csv.records(lines)
    start = 0
    for record in reader:
        if record:
            yield "".join(lines[start : reader.line_num])
        start = reader.line_num


def _table(body: bytes, names: list[str], wanted: Collection[str], dead: list[DeadRow]) -> pa.Table:
    def invalid(row: pacsv.InvalidRow) -> str:
        message = f"the row has {row.actual_columns} values under {row.expected_columns} column names"
        dead.append(DeadRow(row.number - 2, "wrong-width", message))
        return "skip"

    # Where no column is wanted Arrow would take all of them; rows still have to be counted, so the first one is read.
    chosen = [name for name in names if name in wanted] or names[:1]
    try:
        return pacsv.read_csv(
            pa.BufferReader(body),
            read_options=pacsv.ReadOptions(use_threads=False, block_size=len(body) + 1),
            parse_options=_csv.parsing(invalid),
            convert_options=_csv.as_text(names, chosen),
        )
    except pa.ArrowInvalid as error:
        if not names or "Empty CSV" in str(error):
            raise UnreadableBody("empty", "there is no row under the header") from error
        raise


FORMAT = Format("CSV", (CSV, "application/csv"), read)
