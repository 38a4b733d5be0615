"""Tensors of the Open Inference Protocol to the contract's columns.

What is taken here is a part of what ingestion takes, and it becomes the same Arrow values there: the rows go on to
ingestion as JSON, and what a model was asked must be what it's later judged by.  A test holds the two against each
other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from shared.domain.contract import Kind
from shared.domain.rows import ARROW_TYPES

INTEGERS = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
FLOATS = frozenset({"FP16", "FP32", "FP64"})
DATATYPES: dict[Kind, str] = {
    Kind.NUMBER: "FP64",
    Kind.INTEGER: "INT64",
    Kind.CATEGORY: "BYTES",
    Kind.BOOLEAN: "BOOL",
    Kind.TIMESTAMP: "BYTES",
}
"""What a kind is called in metadata; its whole list is in `TAKEN`."""
TAKEN: dict[Kind, frozenset[str]] = {
    Kind.NUMBER: FLOATS | INTEGERS,
    Kind.INTEGER: INTEGERS | FLOATS,
    Kind.CATEGORY: INTEGERS | {"BYTES", "BOOL"},
    Kind.BOOLEAN: INTEGERS | {"BOOL"},
    Kind.TIMESTAMP: INTEGERS | {"BYTES"},
}
TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(INTEGERS, (int,)),
    **dict.fromkeys(FLOATS, (float, int)),
    "BYTES": (str,),
    "BOOL": (bool,),
}
"""Python types of a datatype's values, as JSON is decoded. ``bool`` is an ``int``, so types are compared exactly."""

FIRST_INSTANT, LAST_INSTANT = -62_135_596_800_000, 253_402_300_799_999
"""Years 1 to 9999 in epoch milliseconds."""

Values = Sequence[Any]


class MisfitError(ValueError):
    """A tensor that can't be that column; the message quotes no value."""


def column(values: Values, datatype: str, kind: Kind) -> pa.Array:
    """The contract's column. Null stands for a missing value, which the protocol has no word for."""
    if datatype not in TAKEN[kind]:
        raise MisfitError(
            f"datatype {datatype[:20]!r} can't be a {kind.value} column; send {' or '.join(sorted(TAKEN[kind]))}"
        )
    stray = _stray(values, TYPES[datatype])
    if stray is not None:
        raise MisfitError(f"element {stray} is no {datatype}")
    try:
        return CONVERSIONS[kind](values)
    except (pa.ArrowException, ValueError, OverflowError) as error:
        told = str(error) if isinstance(error, MisfitError) else f"not every element fits a {kind.value} column"
        raise MisfitError(told) from None


def _stray(values: Values, types: tuple[type, ...]) -> int | None:
    """Place of the first value of another type. Almost always there is none, and a set tells that fastest."""
    if set(map(type, values)) <= {*types, type(None)}:
        return None
    return next(place for place, value in enumerate(values) if value is not None and type(value) not in types)


def _number(values: Values) -> pa.Array:
    return pa.array([None if value is None else float(value) for value in values], pa.float64())


def _integer(values: Values) -> pa.Array:
    if float in map(type, values):
        fractional = next((place for place, value in enumerate(values) if value is not None and value % 1), None)
        if fractional is not None:
            raise MisfitError(f"element {fractional} is no whole number")
        values = [None if value is None else int(value) for value in values]
    return pa.array(values, pa.int64())


def _category(values: Values) -> pa.Array:
    return pa.array(values, pa.int64() if int in map(type, values) else None).cast(pa.string())


def _boolean(values: Values) -> pa.Array:
    strange = next((place for place, value in enumerate(values) if value not in (None, 0, 1)), None)
    if strange is not None:
        raise MisfitError(f"element {strange} is neither 0 nor 1")
    return pa.array([None if value is None else bool(value) for value in values], pa.bool_())


def _timestamp(values: Values) -> pa.Array:
    if str in map(type, values):
        instants = [None if value is None else _instant(value) for value in values]
        return pa.array(instants, ARROW_TYPES[Kind.TIMESTAMP])
    strange = next((place for place, value in enumerate(values) if value is not None and not _has_date(value)), None)
    if strange is not None:
        raise MisfitError(f"element {strange} is no time in epoch milliseconds between the years 1 and 9999")
    milliseconds = [None if value is None else value * 1000 for value in values]
    return pa.array(milliseconds, pa.int64()).cast(ARROW_TYPES[Kind.TIMESTAMP])


def _has_date(milliseconds: int) -> bool:
    return FIRST_INSTANT <= milliseconds <= LAST_INSTANT


def _instant(text: str) -> datetime:
    """RFC 3339; a time without a zone is UTC. OverflowError where a zone carries it out of the calendar."""
    instant = datetime.fromisoformat(text)
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


CONVERSIONS: dict[Kind, Callable[[Values], pa.Array]] = {
    Kind.NUMBER: _number,
    Kind.INTEGER: _integer,
    Kind.CATEGORY: _category,
    Kind.BOOLEAN: _boolean,
    Kind.TIMESTAMP: _timestamp,
}
