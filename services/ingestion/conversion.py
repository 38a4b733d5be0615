"""One column of anything to one Arrow type, and which of its values do not fit.

Every door and every file goes through here, so the same data means the same rows in any format.  Numbers may come as
text, whole numbers as floats, booleans as 0 and 1, instants as RFC 3339 or epoch milliseconds.  NaN and blank text
are null where a number is expected; infinities stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shared.domain.contract import Kind
from shared.domain.rows import ARROW_TYPES, EXACT

Mask = np.ndarray[Any, np.dtype[np.bool_]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_INSTANT, LAST_INSTANT = -62_135_596_800_000, 253_402_300_799_999
"""Years 1 to 9999 in epoch milliseconds: beyond them an instant has no date."""

TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Per second, by the names of Arrow's time units."""

BLANKS = pa.array(["", "na", "n/a", "nan", "null", "none"])
TRUE = pa.array(["true", "1", "1.0"])
FALSE = pa.array(["false", "0", "0.0"])
WHOLE = re.compile(r"[+-]?\d{1,40}", re.ASCII)
DECIMAL = r"^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?)$"


@dataclass(frozen=True, slots=True)
class Converted:
    """Values of the wanted type, null wherever one does not fit; ``misfits`` is None where all do."""

    values: pa.Array
    misfits: Mask | None = None


def convert(values: pa.Array | pa.ChunkedArray, target: pa.DataType) -> Converted:
    """The column as ``target``, which is one of `ARROW_TYPES`."""
    plain = _plain(values)
    if plain.null_count == len(plain):
        return Converted(pa.nulls(len(plain), target))
    converted = CONVERSIONS[target](plain)
    misfits = converted.misfits
    return converted if misfits is not None and misfits.any() else Converted(converted.values)


def kind_of(values: pa.Array | pa.ChunkedArray) -> Kind:
    """The narrowest kind that every value fits: what `init` proposes for a column. All-null columns are categories."""
    narrowest = (Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.TIMESTAMP)
    plain = _plain(values)
    return next((kind for kind in narrowest if _is(plain, kind)), Kind.CATEGORY)


def _is(values: pa.Array, kind: Kind) -> bool:
    converted = convert(values, ARROW_TYPES[kind])
    return converted.misfits is None and converted.values.null_count < len(values)


def _plain(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array without the wrappings that writers add: chunks, dictionaries, large or viewed text."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        return array.cast(pa.string())
    return array


def _nothing_fits(values: pa.Array, target: pa.DataType) -> Converted:
    return Converted(pa.nulls(len(values), target), _mask(values.is_valid()))


def _mask(values: pa.Array) -> Mask:
    """A boolean column as a numpy mask; null counts as false."""
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _to_number(values: pa.Array) -> Converted:
    if pa.types.is_floating(values.type):
        return Converted(_without_nan(values.cast(pa.float64())))
    if pa.types.is_integer(values.type) or pa.types.is_decimal(values.type):
        return Converted(values.cast(pa.float64(), safe=False))
    if pa.types.is_string(values.type):
        return _number_in_text(values)
    return _nothing_fits(values, pa.float64())


def _without_nan(values: pa.Array) -> pa.Array:
    if not np.isnan(values.to_numpy(zero_copy_only=False)).any():
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _number_in_text(values: pa.Array) -> Converted:
    try:
        return Converted(_without_nan(values.cast(pa.float64())))
    except pa.ArrowInvalid:
        filled = _without_blanks(values)
        fits = pc.match_substring_regex(filled, DECIMAL, ignore_case=True)
        numbers = pc.if_else(fits, filled, pa.scalar(None, pa.string())).cast(pa.float64())
        return Converted(numbers, _mask(pc.invert(fits)))


def _without_blanks(values: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(values)
    blank = pc.is_in(pc.utf8_lower(trimmed), value_set=BLANKS)
    return pc.if_else(blank, pa.scalar(None, pa.string()), trimmed)


def _to_integer(values: pa.Array) -> Converted:
    if pa.types.is_signed_integer(values.type):
        return Converted(values.cast(pa.int64()))
    if pa.types.is_unsigned_integer(values.type) or pa.types.is_string(values.type):
        return _integer_exactly(values)
    if pa.types.is_floating(values.type):
        return _integer_in_float(values.cast(pa.float64()))
    if pa.types.is_decimal(values.type):
        return _integer_exactly(_decimal_text(values))
    return _nothing_fits(values, pa.int64())


def _integer_in_float(values: pa.Array) -> Converted:
    numbers = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        whole = (np.abs(numbers) < 2.0**63) & (np.floor(numbers) == numbers)
    missing = np.isnan(numbers)
    return Converted(pa.array(np.where(whole, numbers, 0).astype(np.int64), mask=~whole), ~whole & ~missing)


def _integer_exactly(values: pa.Array) -> Converted:
    """Through floats, whose parser is strict (an integer's would take '0x10'), unless they would lose digits."""
    numbers = _to_number(values)
    converted = _integer_in_float(numbers.values)
    largest = pc.max(pc.abs(numbers.values)).as_py()
    if largest is not None and largest >= EXACT:
        converted = _integer_by_digits(values, converted)
    return Converted(converted.values, _either(converted.misfits, numbers.misfits))


def _integer_by_digits(values: pa.Array, rough: Converted) -> Converted:
    misfits = np.zeros(len(values), np.bool_) if rough.misfits is None else rough.misfits
    exact = rough.values.to_pylist()
    for row, text in enumerate(values.to_pylist()):
        if WHOLE.fullmatch(str(text).strip()):
            misfits[row] = not -(2**63) <= int(text) < 2**63
            exact[row] = None if misfits[row] else int(text)
    return Converted(pa.array(exact, pa.int64()), misfits)


def _either(left: Mask | None, right: Mask | None) -> Mask | None:
    if left is None or right is None:
        return right if left is None else left
    return left | right


WRITABLE = (
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_timestamp,
    pa.types.is_date,
    pa.types.is_time,
)
"""Types whose values have one way to be written as text."""
NUMERIC = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def _to_category(values: pa.Array) -> Converted:
    kind = values.type
    if pa.types.is_string(kind):
        return Converted(values)
    if pa.types.is_floating(kind):
        return Converted(_without_nan(values.cast(pa.float64())).cast(pa.string()))
    if pa.types.is_decimal(kind):
        return Converted(_decimal_text(values))
    if any(is_plain(kind) for is_plain in WRITABLE):
        return Converted(values.cast(pa.string()))
    return _nothing_fits(values, pa.string())


def _decimal_text(values: pa.Array) -> pa.Array:
    """All digits, which a float would not keep, and no zeros behind the last one of a fraction: 1.50 is "1.5"."""
    text = pc.replace_substring_regex(values.cast(pa.string()), r"^-?0E.*$|\.0*$", "")
    text = pc.replace_substring_regex(text, r"(\.\d*?)0+$", r"\1")
    return pc.if_else(pc.equal(text, ""), "0", text)


def _to_boolean(values: pa.Array) -> Converted:
    kind = values.type
    if pa.types.is_boolean(kind):
        return Converted(values)
    if any(each(kind) for each in NUMERIC):
        return _truth(_to_category(values).values)
    return _truth(_without_blanks(values)) if pa.types.is_string(kind) else _nothing_fits(values, pa.bool_())


def _truth(texts: pa.Array) -> Converted:
    lower = pc.utf8_lower(texts)
    true, false = pc.is_in(lower, value_set=TRUE), pc.is_in(lower, value_set=FALSE)
    known = pc.or_(true, false)
    return Converted(
        pc.if_else(known, true, pa.scalar(None, pa.bool_())), _mask(pc.and_(pc.invert(known), texts.is_valid()))
    )


def _to_timestamp(values: pa.Array) -> Converted:
    kind, target = values.type, ARROW_TYPES[Kind.TIMESTAMP]
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _instant_in_ticks(values.cast(pa.timestamp("ms")) if pa.types.is_date(kind) else values)
    if any(each(kind) for each in NUMERIC):
        return _instant_in_milliseconds(values)
    return _instant_in_text(values) if pa.types.is_string(kind) else _nothing_fits(values, target)


def _instant_in_ticks(values: pa.Array) -> Converted:
    """By hand, because Arrow's own cast to finer ticks wraps around at its ends. A time without a zone is UTC."""
    per_second = TICKS[values.type.unit]
    ticks = np.asarray(values.cast(pa.int64()).fill_null(0).to_numpy(), dtype=np.int64)
    fits = (ticks // per_second >= FIRST_INSTANT // 1000) & (ticks // per_second <= LAST_INSTANT // 1000)
    kept = np.where(fits, ticks, 0)
    instants = kept // (per_second // 10**6) if per_second > 10**6 else kept * (10**6 // per_second)
    missing = _mask(values.is_null())
    return Converted(pa.array(instants, mask=missing | ~fits).cast(ARROW_TYPES[Kind.TIMESTAMP]), ~fits & ~missing)


def _instant_in_milliseconds(values: pa.Array) -> Converted:
    numbers = _to_number(values).values
    milliseconds = np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    fits = (milliseconds >= FIRST_INSTANT) & (milliseconds <= LAST_INSTANT)
    kept = np.where(fits, milliseconds, 0)
    # In two steps, because far from 1970 a product of floats would miss whole microseconds.
    instants = np.floor(kept).astype(np.int64) * 1000 + np.rint((kept - np.floor(kept)) * 1000).astype(np.int64)
    return Converted(pa.array(instants, mask=~fits).cast(ARROW_TYPES[Kind.TIMESTAMP]), ~fits & ~np.isnan(milliseconds))


def _instant_in_text(values: pa.Array) -> Converted:
    target = ARROW_TYPES[Kind.TIMESTAMP]
    try:
        converted = values.cast(target)
        if _all_have_dates(converted):
            return Converted(converted)
    except pa.ArrowInvalid:
        pass
    filled = _without_blanks(values)
    instants = [None if text is None else _instant(text) for text in filled.to_pylist()]
    converted = pa.array(instants, pa.int64()).cast(target)
    return Converted(converted, _mask(pc.and_(filled.is_valid(), converted.is_null())))


def _all_have_dates(instants: pa.Array) -> bool:
    """A zone may carry the first and the last hours of the calendar out of it."""
    ends = pc.min_max(instants.cast(pa.int64()))
    first, last = ends["min"].as_py(), ends["max"].as_py()
    return first is None or (_has_date(first) and _has_date(last))


def _has_date(microseconds: int) -> bool:
    return FIRST_INSTANT <= microseconds // 1000 <= LAST_INSTANT


def _instant(text: str) -> int | None:
    """Epoch microseconds, or None for text that names no instant. A time without a zone is UTC."""
    try:
        microseconds = int(text) * 1000 if WHOLE.fullmatch(text) else _microseconds(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None
    return microseconds if _has_date(microseconds) else None


def _microseconds(instant: datetime) -> int:
    return ((instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


CONVERSIONS: dict[pa.DataType, Callable[[pa.Array], Converted]] = {
    ARROW_TYPES[Kind.NUMBER]: _to_number,
    ARROW_TYPES[Kind.INTEGER]: _to_integer,
    ARROW_TYPES[Kind.CATEGORY]: _to_category,
    ARROW_TYPES[Kind.BOOLEAN]: _to_boolean,
    ARROW_TYPES[Kind.TIMESTAMP]: _to_timestamp,
}
