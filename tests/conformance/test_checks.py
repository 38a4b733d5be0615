"""What every check of validation has to keep, the ones that will be added included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.validation.registry import Check, checks
from shared.domain.contract import Feature, Kind
from shared.domain.rows import ARROW_TYPES

FEATURES = (
    Feature(name="x", kind=Kind.NUMBER),
    Feature(name="x", kind=Kind.NUMBER, minimum=-1, maximum=1),
    Feature(name="x", kind=Kind.NUMBER, nullable=True),
    Feature(name="x", kind=Kind.INTEGER, maximum=3),
    Feature(name="x", kind=Kind.CATEGORY, allowed=("a", "b")),
    Feature(name="x", kind=Kind.CATEGORY),
    Feature(name="x", kind=Kind.BOOLEAN),
    Feature(name="x", kind=Kind.TIMESTAMP),
)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.NUMBER: st.floats(allow_nan=False),
    Kind.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Kind.CATEGORY: st.sampled_from(["a", "b", "c", ""]),
    Kind.BOOLEAN: st.booleans(),
    Kind.TIMESTAMP: st.integers(0, 10**15),
}
PAIRS = [(check, feature) for check in checks() for feature in FEATURES if check.applies(feature)]

pairs = pytest.mark.parametrize(
    ("check", "feature"), PAIRS, ids=lambda each: getattr(each, "rule", "") or str(each.kind)
)


def columns(feature: Feature) -> st.SearchStrategy[pa.Array]:
    values = st.lists(st.none() | VALUES[feature.kind], max_size=12)
    return values.map(lambda each: pa.array(each, ARROW_TYPES[feature.kind]))


def test_rules_have_names_of_their_own() -> None:
    names = [check.rule for check in checks()]
    assert len(set(names)) == len(names)
    assert not any(":" in name or "," in name for name in names)


def test_every_check_applies_to_some_feature() -> None:
    assert {check.rule for check, _ in PAIRS} == {check.rule for check in checks()}


@pairs
@given(data=st.data())
def test_each_row_gets_one_boolean(check: Check, feature: Feature, data: st.DataObject) -> None:
    column = data.draw(columns(feature))
    failed = check.failed(column, feature)
    assert failed.shape == (len(column),)
    assert failed.dtype == np.bool_


@pairs
@given(data=st.data())
def test_a_row_is_judged_by_itself(check: Check, feature: Feature, data: st.DataObject) -> None:
    """Neighbours, order and slicing change nothing: a batch may be cut anywhere."""
    column = data.draw(columns(feature))
    alone = [bool(check.failed(column.slice(row, 1), feature)[0]) for row in range(len(column))]
    assert check.failed(column, feature).tolist() == alone


@pairs
def test_nulls_break_no_rule_but_their_own(check: Check, feature: Feature) -> None:
    nulls = pa.nulls(3, ARROW_TYPES[feature.kind])
    assert check.failed(nulls, feature).tolist() == [check.rule == "null"] * 3


@pairs
def test_the_column_is_left_as_it_was(check: Check, feature: Feature) -> None:
    column = pa.nulls(2, ARROW_TYPES[feature.kind])
    check.failed(column, feature)
    assert column.equals(pa.nulls(2, ARROW_TYPES[feature.kind]))


@pytest.mark.parametrize(
    ("rule", "feature", "values", "expected"),
    [
        ("null", FEATURES[0], [1.0, None], [False, True]),
        ("range", FEATURES[1], [-1.0, 1.0, 1.5, -2.0, float("inf"), None], [False, False, True, True, True, False]),
        ("range", FEATURES[3], [3, 4, None], [False, True, False]),
        ("non-finite", FEATURES[0], [1.0, float("inf"), -float("inf"), None], [False, True, True, False]),
        ("allowed", FEATURES[4], ["a", "c", "", None], [False, True, True, False]),
    ],
)
def test_a_rule_finds_what_breaks_it(rule: str, feature: Feature, values: list[Any], expected: list[bool]) -> None:
    (check,) = (each for each in checks() if each.rule == rule)
    assert check.applies(feature)
    assert check.failed(pa.array(values, ARROW_TYPES[feature.kind]), feature).tolist() == expected
