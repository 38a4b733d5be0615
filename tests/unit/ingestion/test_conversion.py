"""What fits a type, and what does not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingestion.conversion import convert, kind_of
from shared.domain.contract import Kind
from shared.domain.rows import ARROW_TYPES

MISFIT = object()
INF = float("inf")
NAN = float("nan")
DAY = datetime(2024, 2, 29, tzinfo=UTC)


def converted(kind: Kind, values: pa.Array) -> list[Any]:
    result = convert(values, ARROW_TYPES[kind])
    misfits = np.zeros(len(values), bool) if result.misfits is None else result.misfits
    assert result.values.type == ARROW_TYPES[kind]
    return [MISFIT if lost else value for value, lost in zip(result.values.to_pylist(), misfits, strict=True)]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (Kind.NUMBER, ["1", " 2.5 ", "1e3", "-.5", "inf", "-Infinity"], [1.0, 2.5, 1000.0, -0.5, INF, -INF]),
        (Kind.NUMBER, ["", "NaN", "NA", "null", "none", " "], [None] * 6),
        (Kind.NUMBER, ["1", "abc", "0x10", "1,5", "1_0", "--1"], [1.0, *[MISFIT] * 5]),
        (Kind.NUMBER, [1.5, NAN, INF, None], [1.5, None, INF, None]),
        (Kind.NUMBER, [True, None], [MISFIT, None]),
        (Kind.INTEGER, [1.0, 2.5, INF, NAN, 1e30], [1, MISFIT, MISFIT, None, MISFIT]),
        (Kind.INTEGER, ["7", "7.0", "7.5", "", "x"], [7, 7, MISFIT, None, MISFIT]),
        (Kind.INTEGER, ["9223372036854775807", "-9223372036854775808"], [2**63 - 1, -(2**63)]),
        (Kind.INTEGER, ["9223372036854775808", "9007199254740993", "+-5"], [MISFIT, 2**53 + 1, MISFIT]),
        (Kind.INTEGER, ["9" * 5000, "1"], [MISFIT, 1]),
        (Kind.BOOLEAN, [0, 1, 2, None], [False, True, MISFIT, None]),
        (Kind.BOOLEAN, [0.0, 1.0, NAN], [False, True, None]),
        (Kind.BOOLEAN, ["true", "FALSE", "0", "1", "yes", ""], [True, False, False, True, MISFIT, None]),
        (Kind.CATEGORY, [0, 1, None], ["0", "1", None]),
        (Kind.CATEGORY, [1.0, 2.5, NAN], ["1", "2.5", None]),
        (Kind.CATEGORY, [True, False], ["true", "false"]),
        (Kind.CATEGORY, ["", " a "], ["", " a "]),
        (Kind.CATEGORY, [[1], None], [MISFIT, None]),
        (Kind.TIMESTAMP, ["2024-02-29", "2024-02-29T01:00:00+01:00", "2024-02-29T00:00:00.0000009Z"], [DAY] * 3),
        (Kind.TIMESTAMP, ["2023-02-29", "soon", "", "99999999999999999"], [MISFIT, MISFIT, None, MISFIT]),
        (Kind.TIMESTAMP, [1_709_164_800_000, None], [DAY, None]),
        (Kind.TIMESTAMP, [1_709_164_800_000.0, INF, NAN], [DAY, MISFIT, None]),
        (Kind.TIMESTAMP, [date(2024, 2, 29)], [DAY]),
        (Kind.TIMESTAMP, [True], [MISFIT]),
    ],
)
def test_values_and_misfits(kind: Kind, values: list[Any], expected: list[Any]) -> None:
    assert converted(kind, pa.array(values)) == expected


@pytest.mark.parametrize("kind", list(Kind))
def test_wrappings_make_no_difference(kind: Kind) -> None:
    plain = pa.array(["1", "0", None, "x"])
    wrapped = [
        plain.dictionary_encode(), plain.cast(pa.large_string()), plain.cast(pa.string_view()),
        pa.chunked_array([plain.slice(0, 2), plain.slice(2)]), pa.array(["y", *plain.to_pylist()]).slice(1),
    ]  # fmt: skip
    assert all(converted(kind, each) == converted(kind, plain) for each in wrapped)


@pytest.mark.parametrize("kind", list(Kind))
@given(values=st.lists(st.none() | st.text(max_size=12) | st.from_regex(r"[-+0-9.eTZ:]{1,25}", fullmatch=True)))
def test_any_text_is_a_value_or_a_misfit_by_itself(kind: Kind, values: list[str | None]) -> None:
    """A neighbour never changes what a value means: the fast way and the careful way agree."""
    together = converted(kind, pa.array(values, pa.string()))
    alone = [converted(kind, pa.array([value], pa.string()))[0] for value in values]
    assert together == alone


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2"], Kind.INTEGER), (["0", "1"], Kind.INTEGER), (["1", "2.5", None], Kind.NUMBER),
        (["true", "false"], Kind.BOOLEAN), (["2024-02-29"], Kind.TIMESTAMP), (["a", "1"], Kind.CATEGORY),
        ([None, None], Kind.CATEGORY), (["", "nan", "1"], Kind.INTEGER), ([1.5], Kind.NUMBER),
    ],
)  # fmt: skip
def test_the_narrowest_kind_is_proposed(values: list[Any], kind: Kind) -> None:
    assert kind_of(pa.array(values)) is kind


TICKS = [
    pa.array([1, None, 2**62], pa.timestamp(unit, zone)) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC")
]
STRANGE = [
    *TICKS,
    pa.array([1, None, 2**31 - 1], pa.date32()),
    pa.array([1, None], pa.time32("s")),
    pa.array([1, None], pa.duration("ns")),
    pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
    pa.array([np.float16(1.5), None]),
    pa.array([10**60], pa.decimal256(70, 2)),
    pa.array([b"x", None]),
    pa.array([b"x", None], pa.binary_view()),
    pa.array([{"a": 1}, None]),
    pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
    pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([1.0, None])),
    pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]),
    pa.DictionaryArray.from_arrays(pa.array([0, None, 0]), pa.array([1.5, None])),
    pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16], pa.binary(16))),
    pa.array([], pa.int64()),
]


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("values", STRANGE, ids=lambda values: str(values.type))
def test_no_arrow_type_is_too_strange(kind: Kind, values: pa.Array) -> None:
    """What a Parquet file or an Arrow stream may bring: values or misfits, never an error, and real dates only."""
    assert len(converted(kind, values)) == len(values)
    assert kind_of(values) in Kind


def test_an_instant_beyond_the_calendar_is_a_misfit_in_every_unit() -> None:
    found = [converted(Kind.TIMESTAMP, values)[2] for values in TICKS]
    assert found == [*[MISFIT] * 6, *[datetime(2116, 2, 20, 23, 53, 38, 427387, UTC)] * 2]


@pytest.mark.parametrize("beside", ["2024-02-29T00:00:00Z", "nonsense", " "])
@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00", "0000-01-01T00:00:00Z", "253402300800000"]
)
def test_an_instant_that_has_no_date_does_not_fit_whatever_stands_beside_it(text: str, beside: str) -> None:
    expected = {"nonsense": MISFIT, " ": None}.get(beside, DAY)
    assert converted(Kind.TIMESTAMP, pa.array([text, beside])) == [MISFIT, expected]


def test_the_first_and_the_last_instant_fit() -> None:
    ends = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]
    assert converted(Kind.TIMESTAMP, pa.array(ends)) == [datetime.fromisoformat(each) for each in ends]


def test_decimals_keep_their_digits_and_no_zeros_behind_them() -> None:
    values = pa.array([Decimal(text) for text in ("1.50", "-0.05", "0", "100")], pa.decimal128(38, 10))
    assert converted(Kind.CATEGORY, values) == ["1.5", "-0.05", "0", "100"]
    assert converted(Kind.NUMBER, values) == [1.5, -0.05, 0.0, 100.0]
    exact = pa.array([Decimal(2**53 + 1), Decimal("0.5"), Decimal(2**63)], pa.decimal256(50, 2))
    assert converted(Kind.INTEGER, exact) == [2**53 + 1, MISFIT, MISFIT]
    assert converted(Kind.BOOLEAN, pa.array([Decimal("1"), Decimal("0.00"), None], pa.decimal128(9, 2))) == [
        True, False, None,
    ]  # fmt: skip
