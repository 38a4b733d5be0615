import math
from functools import reduce

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.baseline import baseline_of, decode_baseline, encode_baseline
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.counts import deviation, mean
from shared.domain.profile import Profile, merge, profile_of

CONTRACT = Contract(
    features=(
        Feature(name="size", kind=Kind.NUMBER, nullable=True),
        Feature(name="colour", kind=Kind.CATEGORY, nullable=True),
        Feature(name="at", kind=Kind.TIMESTAMP),
    ),
    label=Label(name="label"),
    event_time="at",
)


def rows(count: int, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    sizes = np.where(random.random(count) < 0.1, np.nan, random.lognormal(3, 2, count))
    return pa.table(
        {
            "size": pa.array(sizes, pa.float64()),
            "colour": pa.array(random.choice(["red", "green", "blue"], count), pa.string()),
            "at": pa.array(np.arange(count) * 1_000_000, pa.timestamp("us", "UTC")),
        }
    )


BASELINE = baseline_of(CONTRACT, rows(500), 3)


def profile(table: pa.Table, lane: int = 0, first: int = 0, rejected: np.ndarray | None = None) -> Profile:
    accepted = np.ones(table.num_rows, bool) if rejected is None else ~rejected
    batches = table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
    rejects = (("null:size", int((~accepted).sum())),) if not accepted.all() else ()
    return profile_of(batches[0], BASELINE, accepted, rejects, lane=lane, epoch=7, first=first, event_time="at")


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 300), st.integers(0, 10**6), st.randoms())
def test_sixteen_lanes_in_any_order_and_grouping_give_the_bits_of_one(count: int, seed: int, random):
    table = rows(count, seed)
    lane = np.random.default_rng(seed).integers(0, 16, count)
    parts = [profile(table.filter(pa.array(lane == each)), lane=each) for each in range(16)]
    while len(parts) > 1:
        one = parts.pop(random.randrange(len(parts)))
        other = parts.pop(random.randrange(len(parts)))
        parts.append(merge(one, other))
    whole = profile(table)
    assert parts[0].features == whole.features
    assert (parts[0].received, parts[0].accepted) == (whole.received, whole.accepted)
    assert (parts[0].earliest, parts[0].latest) == (whole.earliest, whole.latest)
    assert parts[0].lane is None


def test_consecutive_slices_of_a_lane_merge_to_the_profile_of_all():
    table = rows(300)
    parts = [profile(table.slice(start, 50), first=start) for start in range(0, 300, 50)]
    assert reduce(merge, parts) == profile(table)


def test_rejected_rows_move_the_position_and_are_counted_by_rule_only():
    table = rows(100)
    found = profile(table, first=40, rejected=np.arange(100) < 30)
    assert (found.first, found.last, found.received, found.accepted) == (40, 140, 100, 70)
    assert found.rejects == (("null:size", 30),)
    assert {feature.rows for feature in found.features} == {70}


def test_a_slice_of_rejects_alone_has_no_times_and_no_rows():
    found = profile(rows(20), rejected=np.ones(20, bool))
    assert (found.accepted, found.earliest, found.latest) == (0, None, None)


def test_profiles_of_different_epochs_refuse_to_merge():
    one = profile(rows(10))
    other = profile_of(
        rows(10).to_batches()[0], BASELINE, np.ones(10, bool), (), lane=0, epoch=8, first=0, event_time="at"
    )
    with pytest.raises(ValueError, match="epoch 7 and generation 3 epoch 8"):
        merge(one, other)


def test_mean_and_deviation_come_back_from_fixed_point_within_a_hundredth_of_a_spread():
    values = np.random.default_rng(1).normal(1000, 8, 400)
    table = pa.table({"size": values, "colour": ["red"] * 400, "at": rows(400)["at"]})
    base = baseline_of(CONTRACT, table, 1)
    assert mean(base.bins[0], base.features[0]) == pytest.approx(values.mean(), abs=0.08)
    assert deviation(base.bins[0], base.features[0]) == pytest.approx(values.std(), rel=0.01)


def test_a_column_without_numbers_has_no_mean():
    assert math.isnan(mean(BASELINE.bins[0], profile(rows(0)).features[0]))


def test_decimal_exponents_count_the_finite_non_zero_numbers():
    table = pa.table(
        {"size": [0.0, 0.02, -5.0, 7.0, 1000.0, math.inf, None], "colour": ["red"] * 7, "at": rows(7)["at"]}
    )
    assert profile(table).features[0].exponents == ((-2, 1), (0, 2), (3, 1))


def test_a_baseline_survives_its_bytes_and_the_bytes_are_stable():
    data = encode_baseline(BASELINE)
    assert decode_baseline(data) == BASELINE
    assert encode_baseline(decode_baseline(data)) == data
    assert encode_baseline(baseline_of(CONTRACT, rows(500), 3)) == data


def test_a_baseline_leaves_timestamps_out():
    assert BASELINE.names == ("size", "colour")


def test_a_baseline_of_no_rows_is_defined():
    empty = baseline_of(CONTRACT, rows(0), 1)
    assert decode_baseline(encode_baseline(empty)) == empty


def test_values_that_training_never_showed_are_counted_as_unseen() -> None:
    table = rows(100)
    strange = table.set_column(1, "colour", pa.array(["violet"] * 25 + ["red"] * 75))
    profile = profile_of(
        strange.combine_chunks().to_batches()[0], BASELINE, np.ones(100, dtype=bool), (), lane=0, epoch=0, first=0
    )
    assert [feature.unseen_share for feature in profile.features] == [0.0, 0.25]
