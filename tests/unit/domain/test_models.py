"""Models as values: the same fit is the same bytes, and reading a blob runs nothing."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from shared.domain.design import Column, design_matrix, within
from shared.domain.models import Model, UntrustedModelError, _forest_chances, dump_model, load_model

RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.normal(size=(300, 2))
CLASSES = np.where(MATRIX[:, 0] + RANDOM.normal(size=300) > 0, "yes", "no")
TARGET = MATRIX[:, 0] + RANDOM.normal(size=300)
ROWS = pa.table({"x": MATRIX[:, 0], "y": MATRIX[:, 1]})
COLUMNS = (Column("x", "number"), Column("y", "number"))

CLASSIFIERS = {
    "forest": lambda: RandomForestClassifier(10, random_state=0),
    "extra trees": lambda: ExtraTreesClassifier(10, random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=10, random_state=0),
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "neighbours": KNeighborsClassifier,
    "neighbours by blocks": lambda: KNeighborsClassifier(p=1, algorithm="kd_tree"),
    "neighbours in balls": lambda: KNeighborsClassifier(p=3, algorithm="ball_tree"),
    "neighbours in squares": lambda: KNeighborsClassifier(metric="chebyshev", algorithm="kd_tree"),
    "network": lambda: MLPClassifier(max_iter=300, tol=0.01, random_state=0),
    "network, plain descent": lambda: MLPClassifier(solver="sgd", max_iter=300, tol=0.01, random_state=0),
    "calibrated": lambda: CalibratedClassifierCV(LogisticRegression()),
    "calibrated, isotonic": lambda: CalibratedClassifierCV(LogisticRegression(), method="isotonic"),
    "calibrated, temperature": lambda: CalibratedClassifierCV(LogisticRegression(), method="temperature"),
}
REGRESSORS = {
    "forest": lambda: RandomForestRegressor(10, random_state=0),
    "boosting": lambda: HistGradientBoostingRegressor(max_iter=10, random_state=0),
    "ridge": lambda: make_pipeline(StandardScaler(), Ridge()),
    "neighbours": KNeighborsRegressor,
    "network": lambda: MLPRegressor(max_iter=300, tol=0.1, random_state=0),
}
ALL = [("classification", name, make) for name, make in CLASSIFIERS.items()] + [
    ("regression", name, make) for name, make in REGRESSORS.items()
]


def fitted(task: str, make: Any) -> Model:
    return Model(task, COLUMNS, make().fit(MATRIX, CLASSES if task == "classification" else TARGET))


@pytest.mark.parametrize(("task", "name", "make"), ALL, ids=lambda v: v if isinstance(v, str) else "")
def test_two_equal_fits_have_equal_bytes_and_come_back_as_they_were(task: str, name: str, make: Any) -> None:
    model, again = fitted(task, make), fitted(task, make)
    blob = dump_model(model)
    assert dump_model(again) == blob
    back = load_model(blob)
    said, score = back.predict(ROWS)
    want, want_score = model.predict(ROWS)
    assert said.equals(want)
    assert np.array_equal(score, want_score, equal_nan=True)


HUGE = [1e39, -1e39, sys.float_info.max, -sys.float_info.max, 5e-324]
FAR = pa.table({"x": HUGE, "y": HUGE[::-1]})


@pytest.mark.parametrize(("task", "name", "make"), ALL, ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::sklearn.exceptions.ConvergenceWarning")
def test_any_finite_number_can_be_predicted_and_learnt_from(task: str, name: str, make: Any) -> None:
    assert len(fitted(task, make).predict(FAR)[0]) == len(HUGE)
    rows = pa.concat_tables([ROWS, FAR])
    target = np.append(CLASSES, ["yes"] * len(HUGE)) if task == "classification" else np.append(TARGET, within(HUGE))
    model = Model(task, COLUMNS, make().fit(design_matrix(COLUMNS, rows), target))
    assert model.predict(rows)[0].null_count == 0


def test_an_integer_that_a_float_skips_is_predicted_as_its_neighbour() -> None:
    columns = (Column("n", "integer"),)
    far = pa.table({"n": pa.array([2**53 + 1, -(2**63), None], pa.int64())})
    assert np.array_equal(design_matrix(columns, far), [[2.0**53], [-(2.0**63)], [np.nan]], equal_nan=True)


def test_another_fit_has_other_bytes() -> None:
    one = Model("classification", COLUMNS, RandomForestClassifier(3, random_state=0).fit(MATRIX, CLASSES))
    two = Model("classification", COLUMNS, RandomForestClassifier(3, random_state=1).fit(MATRIX, CLASSES))
    assert dump_model(one) != dump_model(two)


def test_categories_that_look_like_blob_members_keep_their_names() -> None:
    categories = ("1234567", "140000000000.npy", '"file": "7654321.npy"')
    columns = (Column("c", "category", categories),)
    matrix = np.eye(3)
    model = Model("classification", columns, RandomForestClassifier(2, random_state=0).fit(matrix, ["a", "b", "c"]))
    assert load_model(dump_model(model)).columns == columns


def _steal(x: Any) -> Any:
    return x


def test_a_blob_with_foreign_types_is_refused_by_name() -> None:
    planted = make_pipeline(FunctionTransformer(_steal), LogisticRegression()).fit(MATRIX, CLASSES)
    blob = skops.io.dumps({"task": "classification", "columns": [], "estimator": planted})
    with pytest.raises(UntrustedModelError, match="_steal"):
        load_model(blob)


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
@pytest.mark.parametrize("rows", [0, 1, 300])
def test_the_fast_path_gives_scikit_learns_chances_to_the_bit(kind: Any, rows: int) -> None:
    forest = kind(20, random_state=0).fit(MATRIX, CLASSES)
    if rows:
        assert np.array_equal(_forest_chances(forest, MATRIX[:rows]), forest.predict_proba(MATRIX[:rows]))
    else:
        assert _forest_chances(forest, MATRIX[:0]).shape == (0, 2)


def test_missing_values_take_the_forests_own_way() -> None:
    holes = np.where(RANDOM.random(MATRIX.shape) < 0.2, np.nan, MATRIX)
    forest = RandomForestClassifier(20, random_state=0).fit(holes, CLASSES)
    assert np.array_equal(_forest_chances(forest, holes), forest.predict_proba(holes))
