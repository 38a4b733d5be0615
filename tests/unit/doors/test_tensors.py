"""Tensors become what ingestion makes of the same rows: a model is judged by what it was asked."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingestion.identity import batch_id
from services.ingestion.registry import read_rows
from services.ingestion.typed import records_target, typed_rows
from services.prediction.door import tensors
from services.prediction.door.inference import pieces
from services.prediction.door.tensors import TAKEN, TYPES, MisfitError, column
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.rows import ID
from shared.events.base import derive_id

RANGES = {
    "INT8": (-(2**7), 2**7 - 1), "INT16": (-(2**15), 2**15 - 1), "INT32": (-(2**31), 2**31 - 1),
    "INT64": (-(2**63), 2**63 - 1), "UINT8": (0, 2**8 - 1), "UINT16": (0, 2**16 - 1), "UINT32": (0, 2**32 - 1),
    "UINT64": (0, 2**64 - 1),
}  # fmt: skip
INSTANTS = st.datetimes().map(lambda at: at.isoformat() + "Z") | st.datetimes().map(str) | st.text(max_size=12)


def values(datatype: str, kind: Kind) -> st.SearchStrategy[Any]:
    if datatype in RANGES:
        bits = st.integers(*RANGES[datatype])
        if kind is Kind.TIMESTAMP:
            low, high = RANGES[datatype]
            return st.integers(max(low, -(10**13)), min(high, 10**13))
        return (st.sampled_from([0, 1]) | bits) if kind is Kind.BOOLEAN else bits
    if datatype.startswith("FP"):
        return st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60) | st.just(2.0)
    if datatype == "BOOL":
        return st.booleans()
    return INSTANTS if kind is Kind.TIMESTAMP else st.text(max_size=12)


PAIRS = [(kind, datatype) for kind, taken in TAKEN.items() for datatype in sorted(taken)]
DRAWN = st.sampled_from(PAIRS).flatmap(
    lambda pair: st.tuples(st.just(pair), st.lists(st.none() | values(pair[1], pair[0]), min_size=1, max_size=5))
)


def as_ingested(kind: Kind, data: list[Any]) -> tuple[pa.Array, int]:
    """The column that ingestion makes of these values in a JSON delivery, and how many rows it set aside."""
    features = (Feature(name="x", kind=kind), Feature(name="beside", kind=Kind.NUMBER))
    contract = Contract(features=features, label=Label(name="y"))
    target = records_target(contract)
    rows, dead = typed_rows(read_rows("application/json", orjson.dumps({"x": data}), target.wanted), target, "b")
    return rows.column("x"), len(dead)


@settings(max_examples=600)
@given(DRAWN)
def test_what_is_taken_is_what_ingestion_makes_of_it(drawn: tuple[tuple[Kind, str], list[Any]]) -> None:
    (kind, datatype), data = drawn
    data = orjson.loads(orjson.dumps(data))
    try:
        taken = column(data, datatype, kind)
    except MisfitError:
        return
    ingested, dead = as_ingested(kind, data)
    assert dead == 0
    assert taken.equals(ingested), (taken, ingested)


@pytest.mark.parametrize(
    ("kind", "datatype", "data"),
    [
        (Kind.NUMBER, "FP64", [1.5, None, 2]),
        (Kind.INTEGER, "FP32", [2.0, None]),
        (Kind.INTEGER, "INT64", [2**63 - 1]),
        (Kind.CATEGORY, "BYTES", ["a", None, "1.0"]),
        (Kind.CATEGORY, "INT64", [7, None]),
        (Kind.CATEGORY, "BOOL", [True, False]),
        (Kind.BOOLEAN, "UINT8", [1, 0, None]),
        (Kind.TIMESTAMP, "BYTES", ["2024-02-29T12:00:00+02:00", "2024-02-29"]),
        (Kind.TIMESTAMP, "INT64", [0, -1, 4_102_444_800_000]),
        (Kind.NUMBER, "FP64", [None, None]),
    ],
)
def test_these_are_taken_and_alike(kind: Kind, datatype: str, data: list[Any]) -> None:
    ingested, dead = as_ingested(kind, data)
    assert column(data, datatype, kind).equals(ingested)
    assert dead == 0


@pytest.mark.parametrize(
    ("kind", "datatype", "data", "told"),
    [
        (Kind.NUMBER, "BYTES", ["1.5"], "can't be a number"),
        (Kind.NUMBER, "FP64", [1.0, "x"], "element 1 is no FP64"),
        (Kind.NUMBER, "FP64", [True], "element 0 is no FP64"),
        (Kind.INTEGER, "FP64", [1.0, 1.5], "element 1 is no whole number"),
        (Kind.INTEGER, "UINT64", [2**64 - 1], "not every element fits a integer"),
        (Kind.INTEGER, "FP64", [1e300], "not every element"),
        (Kind.BOOLEAN, "INT64", [0, 2], "element 1 is neither 0 nor 1"),
        (Kind.TIMESTAMP, "BYTES", ["yesterday"], "not every element fits a timestamp"),
        (Kind.TIMESTAMP, "INT64", [10**18], "element 0 is no time"),
        (Kind.CATEGORY, "FP64", [1.5], "can't be a category"),
        (Kind.NUMBER, "COMPLEX", [1], "can't be a number"),
        (Kind.NUMBER, "FP64", [[1.0]], "element 0 is no FP64"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place_and_never_quoted(
    kind: Kind, datatype: str, data: list[Any], told: str
) -> None:
    with pytest.raises(MisfitError, match=told) as error:
        column(data, datatype, kind)
    assert "yesterday" not in str(error.value)


def test_every_datatype_that_is_taken_has_its_values_checked() -> None:
    assert {datatype for taken in TAKEN.values() for datatype in taken} == TYPES.keys()
    assert tensors.DATATYPES.keys() == TAKEN.keys() == set(Kind)


@pytest.mark.parametrize("rows", [1, 2, 100])
@pytest.mark.parametrize("width", [10, 30_000])
def test_pieces_are_the_whole_in_order_and_each_fits_into_a_message(rows: int, width: int) -> None:
    given: dict[str, list[Any]] = {"x": [f"{row:>{width}}" for row in range(rows)], "y": list(range(rows))}
    cut = list(pieces(given))
    assert [value for piece in cut for value in piece["x"]] == given["x"]
    assert [value for piece in cut for value in piece["y"]] == given["y"]
    assert all(len(orjson.dumps(piece)) <= 900_000 for piece in cut)


def test_the_ids_that_are_promised_are_the_ones_that_ingestion_gives() -> None:
    assert derive_id("batch", "shop", "k") == batch_id("shop", "k")
    assert ID == "_id"
