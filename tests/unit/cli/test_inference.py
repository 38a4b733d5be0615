"""What is inferred from columns nobody described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest

from services.embedded.inference import InferenceError, Inferred, Wish, infer, window_of
from services.embedded.survey import survey
from services.ingestion.sources import read_batches
from shared.domain.contract import Kind
from tests.streams import stream


def inferred(columns: Mapping[str, Sequence[object]], label: str = "y", batch: int = 37, **wish: object) -> Inferred:
    table = pa.table(dict(columns))
    return infer("test", survey(table.to_batches(batch)), Wish(label, **wish))  # type: ignore[arg-type]


def kinds(found: Inferred) -> dict[str, Kind]:
    return {feature.name: feature.kind for feature in found.pipeline.contract.features}


N = 200
Y = ["up", "down"] * (N // 2)
A = [f"{place * 37 % 101 / 10}" for place in range(N)]


def test_kinds_come_from_all_values_not_from_the_first_ones() -> None:
    late_fraction = ["1"] * (N - 1) + ["1.5"]
    late_text = ["1", "2"] * (N // 2 - 1) + ["1", "?"]
    truth = ["true", "false"] * (N // 2)
    found = inferred({"a": late_fraction, "b": late_text, "c": truth, "d": ["1", "2"] * (N // 2), "y": Y})
    assert kinds(found) == {"a": Kind.NUMBER, "b": Kind.CATEGORY, "c": Kind.BOOLEAN, "d": Kind.INTEGER}


def test_the_order_of_columns_is_kept() -> None:
    found = inferred({"z": A, "y": Y, "a": A, "m": A})
    assert list(kinds(found)) == ["z", "a", "m"]


def test_a_backtests_contract_refuses_nothing_and_a_projects_keeps_to_what_was_seen() -> None:
    columns: dict[str, list[str | None]] = {"a": [*A], "b": [None, *A[1:]], "y": [*Y]}
    loose, strict = inferred(columns), inferred(columns, strict=True)
    assert [feature.nullable for feature in loose.pipeline.contract.features] == [True, True]
    assert [feature.nullable for feature in strict.pipeline.contract.features] == [False, True]


def test_missing_words_are_nulls_among_numbers_and_values_among_words() -> None:
    found = inferred({"a": ["NA", *A[1:]], "b": ["NA", "x"] * (N // 2), "y": Y}, strict=True)
    assert [feature.nullable for feature in found.pipeline.contract.features] == [True, False]


@pytest.mark.parametrize(
    ("label", "task"),
    [
        (["a", "b"] * 100, "classification"),
        (["true", "false"] * 100, "classification"),
        (["0", "1", "2", "3"] * 50, "classification"),
        (["1.0", "2.0"] * 100, "classification"),
        ([str(place) for place in range(200)], "regression"),
        (["0.5", "1.5"] * 100, "regression"),
    ],
)
def test_the_task_follows_from_the_label(label: list[object], task: str) -> None:
    pipeline = inferred({"a": [*A], "y": label}).pipeline
    assert pipeline.contract.label.task == task
    assert pipeline.estimator.path.endswith("Classifier" if task == "classification" else "Regressor")


def test_one_column_of_dates_is_the_event_time() -> None:
    days = [f"2024-01-{1 + place % 28:02}" for place in range(N)]
    found = inferred({"a": A, "day": days, "y": Y})
    assert found.pipeline.contract.event_time == "day"
    assert list(kinds(found)) == ["a"]


def test_of_two_columns_of_dates_neither_is() -> None:
    days = [f"2024-01-{1 + place % 28:02}" for place in range(N)]
    found = inferred({"a": A, "day": days, "due": days, "y": Y})
    assert found.pipeline.contract.event_time is None
    assert kinds(found)["due"] is Kind.TIMESTAMP


@pytest.mark.parametrize("name", ["id", "order_id", "orderId", "uuid", "ID"])
def test_a_unique_column_named_so_is_the_record_id(name: str) -> None:
    ids = [f"k{place * 7919 % 10007}" for place in range(N)]
    assert inferred({name: ids, "a": A, "y": Y}).pipeline.contract.record_id == name


@pytest.mark.parametrize(
    "values",
    [
        [str(place % 50) for place in range(N)],
        [None, *[f"k{place}" for place in range(N - 1)]],
        [f"{place}.5" for place in range(N)],
    ],
    ids=["repeated", "with a gap", "not whole"],
)
def test_a_column_that_does_not_name_records_is_no_id(values: list[object]) -> None:
    assert inferred({"id": values, "a": [*A], "y": [*Y]}).pipeline.contract.record_id is None


def test_a_name_that_only_ends_like_an_id_is_none() -> None:
    words = [f"w{place}" for place in range(N)]
    assert inferred({"humid": words, "a": A, "y": Y}).pipeline.contract.record_id is None


def test_columns_that_teach_nothing_are_left_out_and_said() -> None:
    rows = 3000
    found = inferred(
        {
            "one": ["x"] * rows,
            "none": pa.nulls(rows, pa.string()).to_pylist(),
            "count": [str(place) for place in range(7, rows + 7)],
            "name": [f"n{place}" for place in range(rows)],
            "a": (A * 15)[:rows],
            "y": (Y * 15)[:rows],
        },
        batch=500,
    )
    assert list(kinds(found)) == ["a"]
    assert [note.partition(": ")[2] for note in found.notes] == [
        "it is 'x' in every row",
        "it is empty in every row",
        "it only counts the rows",
        "it is text with 3,000 or more different values, too many to learn from",
    ]


def test_columns_that_driftloop_cannot_name_are_left_out_and_said() -> None:
    mixed = [str(place * 7919 % 10007) for place in range(N)]
    found = inferred({"": mixed, "_x": A, "a": A, "y": Y})
    assert list(kinds(found)) == ["a"]
    assert found.notes == (
        "column '' is left out: it has no name",
        "column '_x' is left out: it has a name that begins with '_', as Driftloop's own do",
    )


@pytest.mark.parametrize("name", ["", "_y"])
def test_a_label_that_driftloop_cannot_name_is_refused(name: str) -> None:
    with pytest.raises(InferenceError, match=f"label '{name}' has .*; rename the column"):
        inferred({"a": A, name: Y}, label=name)


def test_a_dropped_label_is_refused() -> None:
    with pytest.raises(InferenceError, match="label 'y' is dropped too"):
        inferred({"a": A, "y": Y}, drop=("y",))


@pytest.mark.parametrize("batch", [7, N])
@pytest.mark.parametrize("place", [0, N // 2, N - 1])
def test_a_bad_cell_does_not_make_numbers_text(place: int, batch: int) -> None:
    cells = [*A[:place], "bad", *A[place + 1 :]]
    cells[30] = "NA"
    seen = survey(pa.table({"a": cells, "y": Y}).to_batches(batch))
    found = infer("test", seen, Wish("y", strict=True))
    assert kinds(found) == {"a": Kind.NUMBER}
    assert found.pipeline.contract.features[0].nullable
    assert (seen.column("a").nulls, seen.column("a").misfits) == (1, 1)
    assert (seen.column("a").minimum, seen.column("a").maximum) == (0.0, 10.0)
    told = "column 'a' is taken for numbers, which 1 of its 199 values is not: such records become dead letters"
    assert found.notes == (told,)


@pytest.mark.parametrize(("bad", "kind"), [(10, Kind.NUMBER), (11, Kind.CATEGORY)])
def test_where_more_than_one_in_twenty_is_no_number_it_is_text(bad: int, kind: Kind) -> None:
    assert kinds(inferred({"a": [*["x"] * bad, *A[bad:]], "y": Y})) == {"a": kind}


def test_a_bad_cell_in_a_numeric_label_leaves_it_a_number() -> None:
    found = inferred({"a": A, "y": ["bad", *(f"{place}.5" for place in range(N - 1))]})
    assert found.pipeline.contract.label.task == "regression"
    assert found.notes[0].startswith("column 'y' is taken for numbers")


def test_missing_words_in_a_label_of_few_numbers_are_no_class() -> None:
    label = inferred({"a": A, "y": ["NA", *["1.0", "2.0"] * (N // 2 - 1), "1.0"]}).pipeline.contract.label
    assert label.task == "classification"


def test_ids_of_which_most_are_digits_still_name_the_records() -> None:
    ids = [f"k{place}" if place < 3 else str(place * 7919 % 10007) for place in range(N)]
    assert inferred({"order_id": ids, "a": A, "y": Y}).pipeline.contract.record_id == "order_id"


def test_lists_are_no_features() -> None:
    found = inferred({"tags": [["a"], ["b"]] * (N // 2), "a": A, "y": Y})
    assert list(kinds(found)) == ["a"]
    assert found.notes == ("column 'tags' is left out: it holds lists or objects, not single values",)


def test_a_dropped_column_is_no_feature() -> None:
    assert list(kinds(inferred({"a": A, "b": A, "y": Y}, drop=("b",)))) == ["a"]


@pytest.mark.parametrize(
    ("label", "cause"),
    [
        ([f"word {place}" for place in range(N)], "these are no classes"),
        ([f"2024-01-{1 + place % 28:02}" for place in range(N)], "holds times"),
        (["x"] * N, "there is nothing to predict"),
    ],
)
def test_a_label_that_cannot_be_predicted_is_refused(label: list[object], cause: str) -> None:
    with pytest.raises(InferenceError, match=cause):
        inferred({"a": [*A], "y": label})


@pytest.mark.parametrize(("rows", "window"), [(60, 50), (1600, 160), (10_000, 1000), (10**6, 1000)])
def test_the_window_is_a_thousand_rows_or_a_tenth(rows: int, window: int) -> None:
    assert window_of(rows) == window


@pytest.mark.parametrize(
    ("name", "label", "features", "integers"),
    [("elec2", "class", 8, 1), ("abrupt_insects", "class", 49, 0), ("bike_hourly_regression", "cnt", 14, 10)],
)
def test_real_streams_keep_their_features(name: str, label: str, features: int, integers: int) -> None:
    found = kinds(infer("test", survey(read_batches(stream(name), 5000)), Wish(label)))
    assert len(found) == features
    assert sum(kind is Kind.INTEGER for kind in found.values()) == integers
