"""Estimators by import path: the allowed ones and no others."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shared.domain.estimators import EstimatorError, Task, build_estimator, check_estimator
from shared.domain.pipeline import Estimator


def test_an_estimator_is_built_with_its_parameters() -> None:
    built = build_estimator(Estimator(path="sklearn.linear_model.LogisticRegression", parameters={"C": 0.5}))
    assert built.get_params()["C"] == 0.5


def test_steps_are_estimators_themselves() -> None:
    steps = [
        ["scale", {"path": "sklearn.preprocessing.StandardScaler"}],
        ["model", {"path": "sklearn.linear_model.LogisticRegression", "parameters": {"class_weight": {"yes": 2.0}}}],
    ]
    built = build_estimator(Estimator(path="sklearn.pipeline.Pipeline", parameters={"steps": steps}))
    assert built.get_params()["model__class_weight"] == {"yes": 2.0}


@pytest.mark.parametrize(
    ("path", "parameters", "told"),
    [
        ("os.system", {}, r"only estimators of sklearn\.\* are allowed"),
        ("sklearn_evil.Model", {}, r"only estimators of sklearn\.\* are allowed"),
        ("Model", {}, r"only estimators of sklearn\.\* are allowed"),
        ("sklearn.ensembl.Model", {}, "there is no module 'sklearn.ensembl'"),
        ("sklearn.ensemble.RandomForestClasifier", {}, "the nearest is 'RandomForestClassifier'"),
        ("sklearn.utils.check_array", {}, "is no estimator class"),
        ("sklearn.ensemble.RandomForestClassifier", {"n_estimator": 5}, "the nearest is 'n_estimators'"),
        ("sklearn.pipeline.Pipeline", {}, "can't be made from its parameters"),
        (
            "sklearn.pipeline.Pipeline",
            {"steps": [["a", {"path": "subprocess.Popen", "parameters": {"args": "id"}}]]},
            r"only estimators of sklearn\.\* are allowed",
        ),
    ],
)
def test_what_can_not_be_built_says_why(path: str, parameters: dict[str, object], told: str) -> None:
    with pytest.raises(EstimatorError, match=told):
        build_estimator(Estimator(path=path, parameters=parameters))


LINEAR = {"path": "sklearn.linear_model.LogisticRegression"}
SCALER = {"path": "sklearn.preprocessing.StandardScaler"}


@pytest.mark.parametrize(
    ("path", "parameters", "told"),
    [
        ("linear_model.LinearRegression", {}, "is none for classification: give a classifier"),
        ("cluster.KMeans", {}, "is none for classification: give a classifier"),
        ("preprocessing.StandardScaler", {}, "has no 'predict': give a classifier"),
        ("pipeline.Pipeline", {"steps": [["scale", SCALER]]}, "is none for classification"),
        ("pipeline.Pipeline", {"steps": []}, "is none for classification|has no 'predict'"),
        ("pipeline.Pipeline", {"steps": ["scale", "model"]}, r"steps, number 1: write it as \[NAME, {path: "),
        ("pipeline.Pipeline", {"steps": 5}, "steps, number 1"),
        ("pipeline.Pipeline", {"steps": [["scale", SCALER], ["model", "LinearSVC"]]}, "steps, number 2"),
        ("ensemble.VotingClassifier", {"estimators": [["a", "b"]]}, "estimators, number 1"),
        ("calibration.CalibratedClassifierCV", {"estimator": "sklearn.svm.SVC"}, "estimator is 'sklearn.svm.SVC'"),
    ],
)
def test_what_predicts_no_classes_is_refused(path: str, parameters: dict[str, object], told: str) -> None:
    with pytest.raises(EstimatorError, match=told):
        check_estimator(Estimator(path=f"sklearn.{path}", parameters=parameters), "classification")


@pytest.mark.parametrize(
    ("task", "path", "parameters"),
    [
        ("classification", "pipeline.Pipeline", {"steps": [["scale", SCALER], ["skip", None], ["model", LINEAR]]}),
        ("classification", "ensemble.StackingClassifier", {"estimators": [["a", LINEAR]]}),
        ("classification", "model_selection.GridSearchCV", {"estimator": LINEAR, "param_grid": {"C": [1, 2]}}),
        ("classification", "calibration.CalibratedClassifierCV", {}),
        ("regression", "compose.TransformedTargetRegressor", {}),
        ("regression", "linear_model.Ridge", {}),
    ],
)
def test_what_predicts_as_the_task_asks_is_taken(task: Task, path: str, parameters: dict[str, object]) -> None:
    check_estimator(Estimator(path=f"sklearn.{path}", parameters=parameters), task)


def test_a_classifier_is_none_for_regression() -> None:
    with pytest.raises(EstimatorError, match="is none for regression: give a regressor"):
        check_estimator(Estimator(path="sklearn.linear_model.LogisticRegression"), "regression")


def test_naming_a_module_that_is_not_allowed_does_not_import_it() -> None:
    program = (
        "import sys\n"
        "from shared.domain.estimators import EstimatorError, resolve_estimator\n"
        "try:\n    resolve_estimator('wsgiref.handlers.BaseHandler')\n"
        "except EstimatorError:\n    print('wsgiref.handlers' in sys.modules, 'sklearn' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
