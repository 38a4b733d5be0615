"""The answer that needs no model: every record is what the last known one was."""

from __future__ import annotations

from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.backtest.policies import LAST_CLASS
from services.backtest.replay import Progress, Replay
from services.backtest.result import Coverage, PolicyResult, QualityPoint
from services.backtest.tally import POINTS
from services.ingestion.conversion import convert
from shared.domain.quality import Quality, classification_quality, regression_quality
from shared.domain.rows import label_type

ROWS_PER_BATCH = 10_000


def last_class(what: Replay, progress: Progress) -> PolicyResult:
    """Scores every labelled record after the initial ones against the last label that was known by then.

    Known at row i are the labels of rows before i minus the delay, and those of the initial rows at once, as in
    `replay`. Regression repeats the last value; its bounded loss has the scale of the initial rows.
    """
    started = perf_counter()
    labels = _labels(what, progress)
    said = _said(labels, what.initial, what.label_delay)
    scale = _scale(labels[: what.initial], what.pipeline.contract.label.task)
    curve = tuple(_curve(labels, said, what.initial, scale))
    return PolicyResult(
        name=LAST_CLASS,
        quality=sum((point.quality for point in curve), Quality()),
        retrainings=0,
        promotions=0,
        rejections=0,
        rollbacks=0,
        alarms=(),
        data_faults=(),
        train_seconds=0.0,
        wall_seconds=perf_counter() - started,
        curve=curve,
        coverage=Coverage(unlabelled=sum(label is None for label in labels)),
    )


def _labels(what: Replay, progress: Progress) -> NDArray[Any]:
    """Every row's label (None where there is none): one column of the stream, so it may be held whole."""
    contract = what.pipeline.contract
    parts: list[NDArray[Any]] = []
    rows = 0
    for batch in what.source(ROWS_PER_BATCH):
        values = convert(batch.column(contract.label.name), label_type(contract)).values
        parts.append(np.array(values.to_pylist(), dtype=object))
        rows += batch.num_rows
        progress(rows)
    return np.concatenate(parts) if parts else np.empty(0, dtype=object)


def _said(labels: NDArray[Any], initial: int, delay: int) -> NDArray[Any]:
    """What is said of each row: the latest label known before it; None where none is known yet."""
    filled = np.array([label is not None for label in labels], dtype=np.bool_)
    latest = np.maximum.accumulate(np.where(filled, np.arange(len(labels)), -1))
    known = np.maximum(np.arange(len(labels)) - 1 - delay, initial - 1)
    place = latest[np.clip(known, 0, max(0, len(labels) - 1))] if len(labels) else latest
    return np.array([labels[at] if at >= 0 else None for at in place.tolist()], dtype=object)


def _scale(labels: NDArray[Any], task: str) -> float:
    values = [label for label in labels.tolist() if label is not None]
    return 1.0 if task == "classification" or not values else 2 * float(np.std(values)) or 1.0


def _curve(labels: NDArray[Any], said: NDArray[Any], initial: int, scale: float) -> list[QualityPoint]:
    edges = np.unique(np.linspace(initial, max(initial, len(labels)), POINTS + 1).astype(int)).tolist()
    slices = pairwise(edges)
    return [QualityPoint(last, _quality(labels[first:last], said[first:last], scale)) for first, last in slices]


def _quality(labels: NDArray[Any], said: NDArray[Any], scale: float) -> Quality:
    scored = [(true, told) for true, told in zip(labels, said, strict=True) if true is not None and told is not None]
    true, told = [pair[0] for pair in scored], [pair[1] for pair in scored]
    if any(isinstance(value, float) for value in true):
        return regression_quality(true, told, scale)
    return classification_quality(true, told)
