"""Is a first model worth anything? Compare it with models that learn nothing, on a time-ordered hold-out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from services.training.fitting import FitError, fit, loss_scale
from shared.domain.contract import Label
from shared.domain.pipeline import Pipeline
from shared.domain.quality import Quality, classification_quality, regression_quality

HELD_OUT = 5
"""The newest fifth of the rows is scored by models that learnt from the rest."""


def hold_out(pipeline: Pipeline, rows: pa.Table, seed: int) -> dict[str, Quality]:
    """Counts on the newest fifth for the estimator, the trivial constant, and "same label as the row before"."""
    label = pipeline.contract.label
    split = rows.num_rows - rows.num_rows // HELD_OUT
    older, newer = rows.slice(0, split), rows.slice(split)
    scale = loss_scale(label, older)
    truth = newer[label.name].to_pylist()
    result = {
        "constant": _quality(label, truth, [_constant(label, older)] * len(truth), scale),
        "last label": _quality(label, truth, [older[label.name][-1].as_py(), *truth[:-1]], scale),
    }
    try:
        predicted, _ = fit(pipeline, older, None, seed).predict(newer)
    except FitError:
        return result
    return {**result, "model": _quality(label, truth, predicted.to_pylist(), scale)}


def _constant(label: Label, rows: pa.Table) -> object:
    values, counts = np.unique(rows[label.name].to_numpy(), return_counts=True)
    return values[counts.argmax()] if label.task == "classification" else float(np.mean(rows[label.name].to_numpy()))


def _quality(label: Label, truth: list[object], said: list[object], scale: float) -> Quality:
    if label.task == "classification":
        return classification_quality(truth, said)  # type: ignore[arg-type]
    return regression_quality(truth, said, scale)  # type: ignore[arg-type]
