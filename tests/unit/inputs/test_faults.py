from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from services.drift_detection.inputs.faults import Fault, faults_of
from services.drift_detection.inputs.swaps import suspected_swaps
from shared.domain.pipeline import FaultPolicy
from tests.unit.inputs.slices import baseline, epoch, epochs, load, replaced

POLICY = FaultPolicy()


def faults_after(name: str, change, window: int = 1000) -> list[Fault]:
    """Faults of the first epoch after the training rows, once ``change`` has been done to it."""
    table = load(name)
    base = baseline(table.slice(0, window))
    return list(faults_of(epoch(change(table.slice(window, 100)), base), base, POLICY))


def with_nulls(table: pa.Table, column: str, share: float) -> pa.Table:
    gone = pa.array(np.arange(table.num_rows) < share * table.num_rows)
    return replaced(table, column, pc.if_else(gone, pa.scalar(None, table[column].type), table[column]))


@pytest.mark.parametrize("name", ["abrupt_insects", "arabic_digits", "wine"])
@pytest.mark.parametrize("factor", [100.0, 0.01, 1000.0])
def test_a_unit_change_is_found_within_one_epoch_and_names_its_column(name: str, factor: float):
    table = load(name)
    base = baseline(table.slice(0, 1000))
    part = table.slice(1000, 100)
    for column in table.column_names:
        changed = epoch(replaced(part, column, pc.multiply(part[column], factor)), base)
        assert [(fault.kind, fault.column) for fault in faults_of(changed, base, POLICY)] == [("unit-change", column)]


@pytest.mark.parametrize("name", ["arabic_digits", "noaa_weather", "wine"])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_hundredfold_unit_is_found_in_the_epoch_that_it_begins_in(name: str, share: float):
    table = load(name)
    base = baseline(table.slice(0, 1000))
    part, before = table.slice(1000, 100), int(100 * (1 - share))
    missed = []
    for column in table.column_names:
        changed = pa.concat_tables(
            [part.slice(0, before), replaced(part, column, pc.multiply(part[column], 100.0)).slice(before)]
        )
        found = [(fault.kind, fault.column) for fault in faults_of(epoch(changed, base), base, POLICY)]
        assert set(found) <= {("unit-change", column)}
        missed += [column] if not found else []
    assert len(missed) <= len(table.column_names) // 4, missed


def test_a_hundredfold_column_is_found_in_seasonal_data_that_shows_part_of_its_range():
    table = load("noaa_weather")
    base = baseline(table.slice(0, 1000))
    part = table.slice(1000, 100)
    for column in table.column_names:
        changed = epoch(replaced(part, column, pc.multiply(part[column], 100.0)), base)
        assert [fault.column for fault in faults_of(changed, base, POLICY)] == [column]


@pytest.mark.parametrize("name", ["abrupt_insects", "arabic_digits", "elec2", "noaa_weather", "adult_control", "wine"])
def test_genuine_drift_is_no_fault(name: str):
    """Every epoch of the whole stream against its first rows, drifts included. Elec2's date only ever grows, from
    zero: no feature anyone would declare."""
    table = load(name, without=("date",))
    base = baseline(table.slice(0, 1000))
    found = [fault for each in epochs(table.slice(1000), base, 100) for fault in faults_of(each, base, POLICY)]
    assert found == []


def test_a_column_that_stops_is_gone():
    found = faults_after("adult_control", lambda rows: with_nulls(rows, "age", 1))
    assert [(fault.kind, fault.column, fault.share) for fault in found] == [("column-gone", "age", 1.0)]


def test_a_column_that_never_had_values_is_not_gone():
    empty = pa.table({"x": pa.array([None] * 100, pa.float64())})
    base = baseline(empty)
    assert faults_of(epoch(empty, base), base, POLICY) == ()


def test_a_burst_of_nulls_is_a_fault_and_a_few_are_not():
    found = faults_after("adult_control", lambda rows: with_nulls(rows, "education", 0.4))
    assert [(fault.kind, fault.column) for fault in found] == [("null-burst", "education")]
    assert faults_after("adult_control", lambda rows: with_nulls(rows, "education", 0.1)) == []


def test_a_surge_of_rejects_names_the_rule_and_the_column():
    table = load("wine")
    base = baseline(table.slice(0, 1000))
    broken = epoch(
        table.slice(1000, 100), base, rejects=45, rejected=(("range:attribute_3", 44), ("null:attribute_1", 1))
    )
    (found,) = faults_of(broken, base, POLICY)
    assert (found.kind, found.column, found.share) == ("reject-surge", "attribute_3", 0.45)
    assert "44 by range:attribute_3" in found.detail


def test_a_few_rejects_are_no_surge():
    table = load("wine")
    base = baseline(table.slice(0, 1000))
    assert faults_of(epoch(table.slice(1000, 100), base, rejects=9, rejected=(("null:x", 9),)), base, POLICY) == ()


def test_an_epoch_of_rejects_alone_is_a_surge_and_nothing_else():
    table = load("wine")
    base = baseline(table.slice(0, 1000))
    found = faults_of(epoch(table.slice(1000, 100), base, rejects=100, rejected=(("null:x", 100),)), base, POLICY)
    assert [fault.kind for fault in found] == ["reject-surge"]


def test_swapped_columns_are_suspected():
    table = load("arabic_digits")
    base = baseline(table.slice(0, 1000))
    part = table.slice(1000, 100)
    names = table.column_names
    for one, other in zip(names[::2], names[1::2], strict=True):
        swapped = replaced(replaced(part, one, part[other]), other, part[one])
        assert [(swap.first, swap.second) for swap in suspected_swaps(epoch(swapped, base), base)] == [(one, other)]


@pytest.mark.parametrize("name", ["elec2", "noaa_weather", "adult_control", "wine", "bike_demand_cls"])
def test_streams_whose_columns_stay_in_place_have_no_swaps(name: str):
    table = load(name)
    base = baseline(table.slice(0, 1000))
    found = Counter(swap for each in epochs(table.slice(1000), base, 100) for swap in suspected_swaps(each, base))
    assert found == {}


def test_shuffled_columns_are_seen_as_swaps():
    """The insects' features were shuffled among each other in the middle third."""
    table = load("abrupt_insects")
    base = baseline(table.slice(0, 1000))
    calm = [suspected_swaps(each, base) for each in epochs(table.slice(1000, 700), base, 100)]
    mixed = [suspected_swaps(each, base) for each in epochs(table.slice(1800, 1700), base, 100)]
    assert sum(map(len, calm)) == 0
    assert all(mixed)
