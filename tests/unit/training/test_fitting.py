"""A fit makes a model that can also predict rows of which parts are missing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from services.training.fitting import FitError, fit
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.models import dump_model, load_model
from shared.domain.pipeline import Estimator, Pipeline
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


def pipeline(path: str) -> Pipeline:
    return Pipeline(name="shop", contract=CONTRACT, estimator=Estimator(path=path))


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


def test_what_an_estimator_can_not_do_is_said_in_its_own_words() -> None:
    constant = WHOLE.set_column(0, "heat", pa.array(np.full(60, np.inf)))
    with pytest.raises(FitError, match="can't be fitted on 60 rows"):
        fit(pipeline("sklearn.linear_model.LogisticRegression"), constant, None, 1)
