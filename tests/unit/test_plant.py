"""The demo's plant really goes through what it says it goes through."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.ensemble import RandomForestClassifier

from services.embedded.plant import Change, Plant
from shared.domain.contract import Kind
from shared.domain.design import design_matrix, learn_columns
from shared.domain.pipeline_file import parse_pipeline
from shared.domain.rows import ARROW_TYPES

PLANT = Plant(seed=7)
Score = Callable[[slice, slice], float]


def table(plant: Plant, rows_per_batch: int = 1000) -> pa.Table:
    return pa.Table.from_batches(plant.batches(rows_per_batch), plant.schema)


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return table(PLANT)


@pytest.fixture(scope="module")
def score(rows: pa.Table) -> Score:
    """Accuracy on some rows of a forest that was trained on others."""
    contract = parse_pipeline(PLANT.pipeline_yaml()).contract
    columns = learn_columns(contract, rows.slice(0, 1000))
    matrix = design_matrix(columns, rows)
    quality = np.array(rows.column("quality").to_pylist())
    fitted: dict[tuple[int, int], Any] = {}

    def accuracy(trained: slice, scored: slice) -> float:
        key = (trained.start, trained.stop)
        if key not in fitted:
            forest = RandomForestClassifier(40, min_samples_leaf=2, random_state=0)
            fitted[key] = forest.fit(matrix[trained], quality[trained])
        return float((fitted[key].predict(matrix[scored]) == quality[scored]).mean())

    return accuracy


def changes(kind: str) -> list[Change]:
    return [change for change in PLANT.truth() if change.kind == kind]


def during(change: Change) -> slice:
    return slice(change.first_row, change.last_row + 1)


def values(rows: pa.Table, name: str, where: slice) -> Any:
    return rows.column(name)[where].to_numpy()


def ipc(batches: list[pa.RecordBatch]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def test_a_seed_gives_the_same_bytes() -> None:
    assert ipc(list(Plant(3, 5000).batches(700))) == ipc(list(Plant(3, 5000).batches(700)))
    assert table(Plant(3, 5000)) != table(Plant(4, 5000))


@pytest.mark.parametrize("rows_per_batch", [1, 333, 2048, 4096, 5000, 9000])
def test_the_stream_is_the_same_however_it_is_cut(rows_per_batch: int) -> None:
    plant = Plant(3, 5000)
    batches = list(plant.batches(rows_per_batch))
    assert {batch.num_rows for batch in batches[:-1]} <= {rows_per_batch}
    assert table(plant, rows_per_batch).combine_chunks() == table(plant, 1000).combine_chunks()
    assert sum(batch.num_rows for batch in batches) == 5000


def test_the_pipeline_file_describes_the_stream(rows: pa.Table) -> None:
    contract = parse_pipeline(PLANT.pipeline_yaml()).contract
    for feature in contract.features:
        column = rows.column(feature.name)
        assert column.type == ARROW_TYPES[feature.kind]
        assert feature.nullable or column.null_count == 0
        if feature.minimum is not None:
            assert pc.min(column).as_py() >= feature.minimum
        if feature.maximum is not None:
            assert pc.max(column).as_py() <= feature.maximum
        if feature.allowed is not None:
            assert set(column.to_pylist()) <= set(feature.allowed)
    named = {feature.name for feature in contract.features} | {contract.label.name, "crate", "logged_at"}
    assert named == set(rows.schema.names)
    assert {feature.kind for feature in contract.features} == set(Kind) - {Kind.TIMESTAMP}
    assert contract.label.arrives == "late"


def test_records_are_named_once_and_logged_in_order(rows: pa.Table) -> None:
    assert pc.count_distinct(rows.column("crate")).as_py() == PLANT.rows
    times = rows.column("logged_at").to_numpy()
    assert (times[1:] > times[:-1]).all()


def test_about_a_third_of_the_crates_fail(rows: pa.Table) -> None:
    failed = np.array(rows.column("quality").to_pylist()) == "fail"
    assert 0.25 < failed.mean() < 0.35
    assert all(0.2 < part.mean() < 0.4 for part in np.array_split(failed, 24))


def test_the_truth_is_in_order_and_inside_the_stream() -> None:
    truth = PLANT.truth()
    assert [change.kind for change in truth] == ["abrupt", "fault", "recurring", "recurring", "gradual"]
    assert all(before.last_row < after.first_row for before, after in pairwise(truth))
    assert truth[-1].last_row < PLANT.rows


def test_the_abrupt_change_ruins_a_static_model_and_retraining_mends_it(score: Score) -> None:
    (caps,), (fault,), campaign = changes("abrupt"), changes("fault"), changes("recurring")[0]
    first = slice(0, 1000)
    before = score(first, slice(1000, caps.first_row))
    after = score(first, slice(caps.first_row, fault.first_row))
    assert 0.10 < before - after < 0.25
    later = slice(fault.last_row + 1, campaign.first_row)
    assert score(slice(caps.first_row, caps.first_row + 1000), later) > before - 0.05


def test_the_abrupt_change_shows_in_an_input(rows: pa.Table) -> None:
    (caps,) = changes("abrupt")
    torque = rows.column("torque_nm").to_numpy()
    step = torque[caps.first_row : caps.first_row + 500].mean() - torque[caps.first_row - 500 : caps.first_row].mean()
    assert step == pytest.approx(0.16, abs=0.04)


def test_the_fault_multiplies_one_sensor_by_a_hundred_and_nothing_else(rows: pa.Table) -> None:
    (fault,) = changes("fault")
    pressure = rows.column("pressure_bar").to_numpy()
    inside = pressure[during(fault)]
    outside = np.delete(pressure, np.arange(fault.first_row, fault.last_row + 1))
    assert inside.min() > 20 * outside.max()
    assert np.median(inside) / np.median(outside) == pytest.approx(100, rel=0.02)
    for name in ("torque_nm", "temperature_c", "bottles_per_minute"):
        column = rows.column(name).to_numpy()
        assert column[during(fault)].mean() == pytest.approx(
            column[fault.first_row - 1000 : fault.first_row].mean(), rel=0.05
        )


def test_the_recurring_concept_comes_back(score: Score) -> None:
    """A model of the first campaign is right in the second one, and a model of the time between is not."""
    first, second = changes("recurring")
    between = slice(first.last_row + 1, second.first_row)
    assert score(during(first), during(second)) > 0.85
    assert score(between, during(second)) < 0.75
    assert score(during(first), between) < 0.75


def test_the_product_mix_moves_with_the_campaigns(rows: pa.Table) -> None:
    first, second = changes("recurring")
    products = np.array(rows.column("product").to_pylist())
    for campaign in (first, second):
        assert (products[during(campaign)] == "juice").mean() > 0.3
    assert (products[first.last_row + 1 : second.first_row] == "juice").mean() < 0.15


def test_wear_comes_gradually_and_stays(rows: pa.Table, score: Score) -> None:
    (wear,) = changes("gradual")
    campaign = changes("recurring")[-1]
    new = slice(campaign.last_row + 1, wear.first_row)
    middle = (wear.first_row + wear.last_row) // 2
    thirds = [slice(wear.first_row, middle), slice(middle, wear.last_row + 1), slice(wear.last_row + 1, PLANT.rows)]
    falling = [score(new, part) for part in thirds]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] - falling[-1] > 0.08
    vibration = [np.nanmean(values(rows, "vibration_mm_s", part)) for part in (new, *thirds)]
    assert vibration == sorted(vibration)


def test_neighbours_are_independent(rows: pa.Table) -> None:
    """What the sequential test on single records assumes; shifts in clock order would break it."""
    quiet = slice(0, changes("abrupt")[0].first_row)
    for name in ("torque_nm", "temperature_c"):
        column = values(rows, name, quiet)
        assert abs(np.corrcoef(column[1:], column[:-1])[0, 1]) < 0.06
    shift = np.array(rows.column("shift").to_pylist())[quiet]
    assert (shift[1:] == shift[:-1]).mean() == pytest.approx(1 / 3, abs=0.04)


@pytest.mark.parametrize("parameters", [{"seed": -1}, {"rows": 99}, {"label_delay": -1}])
def test_an_impossible_plant_is_refused(parameters: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a plant needs"):
        Plant(**parameters)


def test_an_impossible_batch_size_is_refused() -> None:
    with pytest.raises(ValueError, match="rows_per_batch has to be 1 or more"):
        next(Plant().batches(0))
