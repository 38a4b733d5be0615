"""NDJSON: one JSON object per line. A bad line is a dead row; the others go on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from services.ingestion.formats._json import loads, rows_of_objects
from services.ingestion.formats._limits import check_rows
from services.ingestion.raw import DeadRow, RawRows
from services.ingestion.registry import Format


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    check_rows(body.count(b"\n"), wanted)
    lines = [line for line in body.split(b"\n") if line and not line.isspace()]
    try:
        rows = [loads(line) for line in lines]
    except (ValueError, TypeError, RecursionError):
        rows, numbers, dead = _one_by_one(lines)
    else:
        numbers, dead = list(range(len(lines))), []
    return rows_of_objects(rows, numbers, wanted, lambda row: lines[row].rstrip(b"\r"), dead=dead)


def _one_by_one(lines: Sequence[bytes]) -> tuple[list[Any], list[int], list[DeadRow]]:
    rows: list[Any] = []
    numbers: list[int] = []
    dead: list[DeadRow] = []
    for number, line in enumerate(lines):
        try:
            rows.append(loads(line))
            numbers.append(number)
        except (ValueError, TypeError, RecursionError):
            dead.append(DeadRow(number, "not-json", "the line is not JSON"))
    return rows, numbers, dead


FORMAT = Format("NDJSON", ("application/x-ndjson", "application/jsonl", "application/x-jsonlines"), read)
