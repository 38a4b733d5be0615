import math
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.bins import INNER_BINS, TOP_VALUES, VOCABULARY, Bins, bins_of, counts_of
from shared.domain.contract import Feature, Kind


def bins(kind: Kind, values: list[object], arrow: pa.DataType) -> Bins:
    return bins_of([Feature(name="x", kind=kind)], pa.table({"x": pa.array(values, arrow)}))[0]


def counts(of: Bins, values: list[object], arrow: pa.DataType) -> list[int]:
    return counts_of(of, pa.array(values, arrow)).tolist()


def test_training_rows_fill_the_inner_bins_evenly_and_the_outer_ones_not_at_all():
    values = np.random.default_rng(0).normal(size=1200)
    found = counts(bins(Kind.NUMBER, list(values), pa.float64()), list(values), pa.float64())
    assert found[1:-3] == pytest.approx([1200 / INNER_BINS] * INNER_BINS, abs=1)
    assert (found[0], found[-3:]) == (0, [0, 0, 0])


def test_nan_and_null_are_missing_and_infinities_fall_in_the_outer_bins():
    of = bins(Kind.NUMBER, [1.0, 2.0, 3.0], pa.float64())
    found = counts(of, [-math.inf, math.inf, math.inf, math.nan, None], pa.float64())
    assert (found[0], found[-3], found[-2], found[-1]) == (1, 2, 2, 0)


def test_infinities_in_training_rows_do_not_become_edges():
    of = bins(Kind.NUMBER, [-math.inf, 1.0, 2.0, math.inf], pa.float64())
    assert all(math.isfinite(edge) for edge in of.edges)


def test_a_constant_column_tells_below_equal_and_above_apart():
    of = bins(Kind.NUMBER, [7.0] * 50, pa.float64())
    assert counts(of, [6.99, 7.0, 7.0, 7.01], pa.float64()) == [1, 2, 1, 0, 0]


def test_an_all_null_column_has_one_bin_for_whatever_comes():
    of = bins(Kind.NUMBER, [None] * 5, pa.float64())
    assert counts(of, [1.0, -5.0, None], pa.float64()) == [2, 1, 0]


def test_discrete_values_get_a_bin_each():
    of = bins(Kind.INTEGER, [1, 2, 3] * 20, pa.int64())
    assert counts(of, [0, 1, 2, 2, 3, 3, 3, 4], pa.int64()) == [1, 1, 2, 3, 1, 0, 0]


def test_categories_are_counted_as_frequent_rare_missing_and_unseen():
    names = [f"v{place:02}" for place in range(TOP_VALUES + 2)]
    training = [name for place, name in enumerate(names) for _ in range(100 - place)]
    of = bins(Kind.CATEGORY, training, pa.string())
    found = counts(of, ["v00", "v00", names[-1], names[-2], None, "new"], pa.string())
    assert found == [2, *[0] * (TOP_VALUES - 1), 2, 1, 1]


def test_ten_thousand_categories_keep_few_slots_and_call_nothing_unseen():
    of = bins(Kind.CATEGORY, [f"id-{place}" for place in range(10_000)], pa.string())
    assert (of.size, of.rare, of.open) == (TOP_VALUES + 3, (), True)
    assert counts(of, ["something new"], pa.string())[-3:] == [1, 0, 0]


def test_a_vocabulary_at_the_limit_is_remembered_whole():
    of = bins(Kind.CATEGORY, [f"id-{place}" for place in range(VOCABULARY)], pa.string())
    assert counts(of, ["id-999", "something new"], pa.string())[-3:] == [1, 0, 1]


def test_an_all_null_category_calls_every_value_unseen():
    of = bins(Kind.CATEGORY, [None, None], pa.string())
    assert counts(of, ["a", None], pa.string()) == [0, 1, 1]


def test_booleans_are_categories_of_two():
    of = bins(Kind.BOOLEAN, [True, True, False], pa.bool_())
    assert counts(of, [True, False, False, None], pa.bool_()) == [1, 2, 0, 1, 0]


def test_timestamps_have_no_bins():
    features = [Feature(name="at", kind=Kind.TIMESTAMP)]
    assert bins_of(features, pa.table({"at": pa.array([0], pa.timestamp("us", "UTC"))})) == ()


@pytest.mark.parametrize("values", [[1e308, -1e308, 0.0], [sys.float_info.max, 1.0], [5e-324, 0.0], [0.0], [-0.0, 0.0]])
def test_extreme_numbers_have_finite_scales(values: list[float]):
    of = bins(Kind.NUMBER, values, pa.float64())
    assert math.isfinite(of.centre)
    assert of.step > 0
    assert all(math.isfinite(edge) for edge in of.edges)


@given(st.lists(st.floats() | st.none(), max_size=60), st.lists(st.floats() | st.none(), max_size=60))
def test_every_value_is_counted_once(training: list[float | None], values: list[float | None]):
    of = bins(Kind.NUMBER, list(training), pa.float64())
    found = counts(of, list(values), pa.float64())
    assert len(found) == of.size
    assert sum(found) == len(values)
    assert found[-2] == sum(value is None or math.isnan(value) for value in values)
