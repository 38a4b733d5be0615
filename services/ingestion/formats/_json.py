"""JSON values to raw rows: shared by the formats that are JSON inside."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from services.ingestion.formats._limits import check_rows
from services.ingestion.raw import DeadRow, Mask, RawRows, UnreadableBody

JSON = "application/json"
COLUMNS = re.compile(rb'\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\[')
"""An object whose first value is a list: columns, since no feature's value is a list."""

NULL = frozenset({type(None)})
COLUMN_TYPES: dict[frozenset[type], pa.DataType] = {
    frozenset(): pa.null(),
    frozenset({float}): pa.float64(),
    frozenset({int}): pa.int64(),
    frozenset({float, int}): pa.float64(),
    frozenset({str}): pa.string(),
    frozenset({bool}): pa.bool_(),
}
"""Types are told here, not by Arrow: it would cut 2.5 to 2 in a column that begins with 1, and its own guess costs
more than the conversion."""


def loads(text: bytes) -> Any:
    """Decodes JSON; UnreadableBody with the place where it is none, or another ValueError.

    NaN and Infinity are no JSON, but common clients write them; the second, slower parser reads them.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if b"NaN" not in text and b"Infinity" not in text:
            raise _unreadable(text, error) from error
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise _unreadable(text, error) from error
    orjson.dumps(value)  # refuses half characters, which the slower parser lets pass and no column of text can hold
    return value


def _unreadable(text: bytes, error: json.JSONDecodeError) -> UnreadableBody:
    """Tells where, and quotes nothing: the parser's words are about its grammar. UnicodeDecodeError tells its own."""
    text.decode()
    place = f"line {error.lineno}, character {error.colno}"
    return UnreadableBody("unreadable", f"the body is no JSON from {place} on: {error.msg}")


def rows_of_objects(
    rows: Sequence[Any],
    numbers: Sequence[int],
    wanted: Collection[str],
    original: Callable[[int], bytes],
    *,
    media_type: str = JSON,
    dead: Sequence[DeadRow] = (),
) -> RawRows:
    """Raw rows of decoded JSON values, ``numbers`` telling their places; those that are no objects join ``dead``."""
    check_rows(len(rows) + len(dead), wanted)
    if not all(type(row) is dict for row in rows):
        strays = [DeadRow(number, "not-an-object", "the row is no JSON object")
                  for row, number in zip(rows, numbers, strict=True) if type(row) is not dict]  # fmt: skip
        kept = [(row, number) for row, number in zip(rows, numbers, strict=True) if type(row) is dict]
        rows, numbers, dead = [row for row, _ in kept], [number for _, number in kept], [*dead, *strays]
    present = set().union(*rows)
    lists = {name: [row.get(name) for row in rows] for name in wanted if name in present}
    columns, hidden = columns_of_lists(lists)
    places = np.asarray(numbers, dtype=np.int64)
    ignored = len(present - set(wanted))
    return RawRows(columns, places, original, media_type, tuple(dead), hidden.nested, hidden.rounded, ignored)


class Hidden(NamedTuple):
    """What text had to stand in for, by column: see `RawRows`."""

    nested: dict[str, Mask]
    rounded: dict[str, Mask]


def columns_of_lists(lists: Mapping[str, list[Any]]) -> tuple[dict[str, pa.Array], Hidden]:
    """Arrow columns of decoded JSON values, and what their text hides."""
    columns, hidden = {}, Hidden({}, {})
    for name, values in lists.items():
        try:
            columns[name] = pa.array(values, COLUMN_TYPES[frozenset(map(type, values)) - NULL])
        except (KeyError, pa.ArrowInvalid, OverflowError):
            columns[name] = pa.array([_text(value) for value in values], pa.string())
            hidden.nested[name] = np.array([isinstance(value, list | dict) for value in values])
            hidden.rounded[name] = np.array([isinstance(value, float) and not _is_exact(value) for value in values])
    return columns, hidden


def rows_of_columns(document: Mapping[str, Any], wanted: Collection[str], media_type: str = JSON) -> RawRows:
    """Raw rows of ``{"column": [values], …}``."""
    if not all(isinstance(values, list) for values in document.values()):
        raise UnreadableBody("not-columns", "columnar JSON has to hold a list under every key")
    lengths = {len(values) for values in document.values()}
    if len(lengths) > 1:
        raise UnreadableBody("ragged-columns", "the columns are not equally long")
    check_rows(max(lengths, default=0), wanted)
    columns, hidden = columns_of_lists({name: document[name] for name in wanted if name in document})
    return RawRows(
        columns=columns,
        numbers=np.arange(lengths.pop() if lengths else 0),
        original=lambda row: json.dumps({name: [values[row]] for name, values in document.items()}).encode(),
        media_type=media_type,
        nested=hidden.nested,
        rounded=hidden.rounded,
        ignored=len(document.keys() - set(wanted)),
    )


def rows_of_value(value: Any, wanted: Collection[str]) -> RawRows:
    """Raw rows of a decoded value that is a row, a list of rows, or columns."""
    if isinstance(value, list):
        return rows_of_objects(value, range(len(value)), wanted, lambda row: json.dumps(value[row]).encode())
    if isinstance(value, dict) and isinstance(next(iter(value.values()), None), list):
        return rows_of_columns(value, wanted)
    return rows_of_objects([value], [0], wanted, lambda _: json.dumps(value).encode())


def _text(value: Any) -> str | None:
    """A mixed column's value as text, as a column of its own type would be written."""
    if value is None or isinstance(value, str | list | dict):
        return value if isinstance(value, str) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and _is_exact(value) else str(value)


def _is_exact(value: float) -> bool:
    """Whether no other number becomes this float: a whole number that floats hold exactly."""
    return math.isfinite(value) and value.is_integer() and abs(value) < 2**53
