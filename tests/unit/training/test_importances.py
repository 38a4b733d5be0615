"""Permutation importances: what a model leans on, in the features' own names."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from services.training.fitting import fit, loss_scale
from services.training.importances import NEWEST, permutation_importances
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.models import Model
from shared.domain.pipeline import Estimator, Pipeline

FEATURES = (
    Feature(name="signal", kind=Kind.NUMBER),
    Feature(name="shop", kind=Kind.CATEGORY),
    Feature(name="noise", kind=Kind.NUMBER, nullable=True),
    Feature(name="at", kind=Kind.TIMESTAMP),
)
TREE = Estimator(path="sklearn.tree.DecisionTreeClassifier", parameters={"max_depth": 3})
FOREST = Estimator(path="sklearn.ensemble.RandomForestClassifier", parameters={"n_estimators": 10})
LINE = Estimator(path="sklearn.linear_model.LinearRegression")


def rows_of(count: int) -> pa.Table:
    """The class is the sign of ``signal``, the amount three times it; nothing else says anything."""
    generator = np.random.default_rng(3)
    signal = generator.normal(size=count)
    return pa.table(
        {
            "signal": signal,
            "shop": [("north", "south", "west")[row % 3] for row in range(count)],
            "noise": pa.array([None if row % 5 == 0 else float(row * 7 % 11) for row in range(count)], pa.float64()),
            "at": pa.array(range(count), pa.timestamp("us", "UTC")),
            "class": np.where(signal > 0, "up", "down").tolist(),
            "amount": 3 * signal,
        }
    )


def trained(rows: pa.Table, estimator: Estimator, label: Label) -> Model:
    contract = Contract(features=FEATURES, label=label)
    return fit(Pipeline(name="shop", contract=contract, estimator=estimator), rows, None, 1)


@pytest.mark.parametrize("estimator", [TREE, FOREST])
def test_the_feature_that_decides_comes_first(estimator: Estimator) -> None:
    rows, label = rows_of(400), Label(name="class")
    found = permutation_importances(trained(rows, estimator, label), rows, label, 1.0, 5)
    assert next(iter(found)) == "signal"
    assert found["signal"] == pytest.approx(0.5, abs=0.1)
    assert abs(found["shop"]) < 0.05


def test_importances_go_by_features_that_the_model_reads() -> None:
    """A category is one feature, however many columns of the matrix it fills; a timestamp is none."""
    rows, label = rows_of(60), Label(name="class")
    assert set(permutation_importances(trained(rows, TREE, label), rows, label, 1.0, 5)) == {"signal", "shop", "noise"}


def test_importances_fall() -> None:
    rows, label = rows_of(120), Label(name="class")
    rises = list(permutation_importances(trained(rows, FOREST, label), rows, label, 1.0, 5).values())
    assert rises == sorted(rises, reverse=True)


def test_a_regression_counts_its_bounded_error() -> None:
    rows, label = rows_of(200), Label(name="amount", task="regression")
    found = permutation_importances(trained(rows, LINE, label), rows, label, loss_scale(label, rows), 5)
    assert 0.2 < found["signal"] <= 1
    assert found["shop"] == pytest.approx(0, abs=1e-6)


def test_the_seed_decides_the_shuffle() -> None:
    rows, label = rows_of(150), Label(name="class")
    model = trained(rows, FOREST, label)
    once, again, other = (permutation_importances(model, rows, label, 1.0, seed) for seed in (5, 5, 6))
    assert once == again
    assert list(once) == list(again)
    assert once != other


def test_only_the_newest_rows_are_shuffled() -> None:
    rows, label = rows_of(NEWEST + 100), Label(name="class")
    model = trained(rows, FOREST, label)
    assert permutation_importances(model, rows, label, 1.0, 5) == permutation_importances(
        model, rows.slice(100), label, 1.0, 5
    )


def test_without_rows_there_is_nothing_to_say() -> None:
    rows, label = rows_of(60), Label(name="class")
    assert permutation_importances(trained(rows, TREE, label), rows.slice(0, 0), label, 1.0, 5) == {}
