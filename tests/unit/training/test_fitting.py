"""A fit makes a model that can also predict rows of which parts are missing, or says why not, without their values."""

from __future__ import annotations

import math
import sys
import traceback

import pyarrow as pa
import pytest

from services.training.fitting import FitError, fit, loss_scale
from services.training.trivial import hold_out
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.models import dump_model, load_model
from shared.domain.pipeline import Estimator, Pipeline
from shared.domain.quality import metrics, regression_quality
from shared.domain.rows import ID

CONTRACT = Contract(
    features=(Feature(name="heat", kind=Kind.NUMBER, nullable=True), Feature(name="shop", kind=Kind.CATEGORY)),
    label=Label(name="class"),
)
WHOLE = pa.table(
    {
        "heat": [float(row % 7) for row in range(60)],
        "shop": ["north", "south", "west"] * 20,
        "class": ["up" if row % 7 > 3 else "down" for row in range(60)],
    }
)


def pipeline(path: str, **parameters: float | str) -> Pipeline:
    return Pipeline(name="shop", contract=CONTRACT, estimator=Estimator(path=path, parameters=parameters))


@pytest.mark.parametrize(
    "path",
    [
        "sklearn.linear_model.LogisticRegression",
        "sklearn.naive_bayes.GaussianNB",
        "sklearn.svm.SVC",
        "sklearn.ensemble.GradientBoostingClassifier",
        "sklearn.ensemble.RandomForestClassifier",
    ],
)
def test_a_column_that_breaks_after_the_fit_can_be_predicted(path: str) -> None:
    model = load_model(dump_model(fit(pipeline(path), WHOLE, None, 1)))
    broken = pa.RecordBatch.from_pydict(
        {ID: ["a", "b"], "heat": pa.array([None, 6.0], pa.float64()), "shop": ["east", "north"]}
    )
    predicted, _ = model.predict(broken)
    assert set(predicted.to_pylist()) <= {"up", "down"}


def test_an_estimator_that_fails_is_told_by_its_error_s_class_and_line() -> None:
    with pytest.raises(FitError, match=r"can't be fitted on 60 rows: ValueError at \w+\.py:\d+ "):
        fit(
            pipeline("sklearn.neighbors.KNeighborsClassifier", metric="seuclidean", algorithm="kd_tree"), WHOLE, None, 1
        )


@pytest.mark.parametrize("largest", [1e39, 1e160, sys.float_info.max])
@pytest.mark.parametrize("path", ["ensemble.RandomForestRegressor", "linear_model.Ridge"])
def test_one_huge_label_stops_no_training(path: str, largest: float) -> None:
    target = pa.array([largest, -largest, *(float(row % 7) for row in range(58))])
    rows = WHOLE.set_column(2, "class", target).sort_by("heat")
    contract = CONTRACT.model_copy(update={"label": Label(name="class", task="regression")})
    regression = pipeline(f"sklearn.{path}").model_copy(update={"contract": contract})
    scale = loss_scale(contract.label, rows)
    predicted, _ = fit(regression, rows, None, 1).predict(rows)
    quality = regression_quality(rows["class"].to_pylist(), predicted.to_pylist(), scale)
    assert 0 < scale < math.inf
    assert 0 <= quality.mean_loss <= 1
    assert all(math.isfinite(value) for value in metrics(quality).values())
    assert hold_out(regression, rows, 1).keys() == {"constant", "last label", "model"}


def test_a_parameter_that_does_not_fit_is_told_in_scikit_learn_s_own_words() -> None:
    with pytest.raises(FitError, match=r"The 'C' parameter of LogisticRegression must be .* Got -1 instead"):
        fit(pipeline("sklearn.linear_model.LogisticRegression", C=-1), WHOLE, None, 1)


def test_a_refusal_to_fit_quotes_no_label() -> None:
    alike = WHOLE.set_column(2, "class", pa.array(["salary-of-jane"] * 60))
    with pytest.raises(FitError, match="all 60 labels are the same") as refused:
        fit(pipeline("sklearn.linear_model.LogisticRegression"), alike, None, 1)
    assert "salary" not in str(refused.value)


def test_an_estimator_s_own_words_about_a_label_are_kept_back() -> None:
    """A regressor tries to read classes as numbers, and says which one it could not read."""
    with pytest.raises(FitError, match="can't be fitted on 60 rows: ValueError at ") as refused:
        fit(pipeline("sklearn.linear_model.Ridge"), WHOLE, None, 1)
    shown = "".join(traceback.format_exception(refused.value))
    assert "'up'" not in shown
    assert "'down'" not in shown
