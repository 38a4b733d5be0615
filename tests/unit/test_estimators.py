"""Estimators by import path: the allowed ones and no others."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shared.domain.estimators import EstimatorError, build_estimator
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


def test_naming_a_module_that_is_not_allowed_does_not_import_it() -> None:
    program = (
        "import sys\n"
        "from shared.domain.estimators import EstimatorError, resolve_estimator\n"
        "try:\n    resolve_estimator('wsgiref.handlers.BaseHandler')\n"
        "except EstimatorError:\n    print('wsgiref.handlers' in sys.modules, 'sklearn' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
