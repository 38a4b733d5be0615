"""One fit: rows, weights and parameters in, a model out. The seed comes with the request."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shared.domain.contract import Label
from shared.domain.design import design_matrix, learn_columns, within
from shared.domain.models import Model
from shared.domain.pipeline import Pipeline
from shared.events.letters import without_values


class FitError(ValueError):
    """These rows can't train this estimator; the message says why, without a value: it goes to the ledger."""


def fit(pipeline: Pipeline, rows: pa.Table, weights: NDArray[np.float64] | None, seed: int) -> Model:
    """A model fitted on labelled rows; raises FitError where the rows can't carry one."""
    label = pipeline.contract.label
    target = _target(rows, label)
    columns = learn_columns(pipeline.contract, rows)
    matrix = design_matrix(columns, rows)
    estimator = _estimator(pipeline, seed)
    try:
        estimator.fit(matrix, target, **_weight_argument(estimator, weights))
    except (ValueError, TypeError, AttributeError) as error:
        raise FitError(f"{pipeline.estimator.path} can't be fitted on {len(target)} rows: {_told(error)}") from None
    return Model(label.task, columns, estimator)


def recency_weights(rows: int, half_life: int | None) -> NDArray[np.float64] | None:
    """Weight 2^(-age / half-life), where the newest row has age 0; None weighs all rows alike."""
    if half_life is None:
        return None
    return np.exp2(-np.arange(rows - 1, -1, -1, dtype=np.float64) / half_life)


def loss_scale(label: Label, rows: pa.Table) -> float:
    """What counts as a whole error: 1 for classes, two standard deviations of the target for regression."""
    if label.task == "classification":
        return 1.0
    return 2 * float(np.std(within(rows[label.name].to_numpy()))) or 1.0


def environment() -> dict[str, str]:
    """Versions that a fit depends on."""
    import numpy
    import sklearn

    return {"python": platform.python_version(), "numpy": numpy.__version__, "scikit-learn": sklearn.__version__}


def _target(rows: pa.Table, label: Label) -> NDArray[Any]:
    target: NDArray[Any] = rows[label.name].to_numpy()
    if not len(target):
        raise FitError("no labelled row is in the range: labels have not come, or every row lies under a data fault")
    if label.task == "regression":
        return within(target)
    target = target.astype(str)
    if len(np.unique(target)) < 2:
        raise FitError(f"all {len(target)} labels are the same: a classifier needs two classes at least")
    return target


def _told(error: Exception) -> str:
    """scikit-learn's own words where they are about the file's parameters. All others may quote rows and labels."""
    if type(error).__name__ == "InvalidParameterError":
        return str(error)
    return f"{without_values(error)} (its own words may quote a row, so they are kept back)"


def _estimator(pipeline: Pipeline, seed: int) -> Any:
    """The estimator of the file, seeded; with an imputer before it where it can't take missing values.

    Whether these rows miss any does not matter: later ones may, when a column breaks, and have to be predicted too.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.utils import get_tags

    from shared.domain.estimators import build_estimator

    estimator = build_estimator(pipeline.estimator)
    seeds = {name: seed for name in estimator.get_params() if name.endswith("random_state")}
    explicit = pipeline.estimator.parameters
    estimator.set_params(**{name: value for name, value in seeds.items() if name not in explicit})
    if not get_tags(estimator).input_tags.allow_nan:
        return make_pipeline(SimpleImputer(keep_empty_features=True), estimator)
    return estimator


def _weight_argument(estimator: Any, weights: NDArray[np.float64] | None) -> dict[str, NDArray[np.float64]]:
    """The keyword that carries sample weights to this estimator; none where it takes no weights."""
    from sklearn.utils.validation import has_fit_parameter

    if weights is None:
        return {}
    if hasattr(estimator, "steps"):
        name, last = estimator.steps[-1]
        return {f"{name}__sample_weight": weights} if has_fit_parameter(last, "sample_weight") else {}
    return {"sample_weight": weights} if has_fit_parameter(estimator, "sample_weight") else {}
