"""Joined rows to `PerformanceCounted`: counts per version, one event per step slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.prediction.joining import LABEL, VERSION
from shared.domain.pipeline import Steps
from shared.domain.quality import MILLION, Quality, bounded_losses, classification_quality, regression_quality
from shared.domain.rows import PREDICTED


@dataclass(frozen=True, slots=True)
class Slice:
    """Labelled positions [first, last) and the counts of their rows."""

    first: int
    last: int
    versions: dict[str, Quality]
    losses: tuple[float, ...]


def slices(rows: pa.Table, first: int, steps: Steps, task: str, loss_scale: float, single: bool) -> Iterator[Slice]:
    """Cut joined rows at the steps' ends; ``single`` keeps each row's loss too."""
    start, last = first, first + len(rows)
    while start < last:
        end = min(steps.end(start), last)
        part = rows.slice(start - first, end - start)
        losses = tuple(_losses(part, task, loss_scale)) if single else ()
        yield Slice(start, end, _by_version(part, task, loss_scale), losses)
        start = end


def _by_version(rows: pa.Table, task: str, loss_scale: float) -> dict[str, Quality]:
    versions = [version for version in pc.unique(rows[VERSION]).to_pylist() if version is not None]
    if len(versions) == 1 and rows[VERSION].null_count == 0:
        return {versions[0]: _quality(rows, task, loss_scale)}
    return {
        version: _quality(rows.filter(pc.equal(rows[VERSION], version)), task, loss_scale)
        for version in sorted(versions)
    }


def _quality(rows: pa.Table, task: str, loss_scale: float) -> Quality:
    true, predicted = rows[LABEL].to_pylist(), rows[PREDICTED].to_pylist()
    if task == "classification":
        return classification_quality(true, predicted)
    return regression_quality(true, predicted, loss_scale)


def _losses(rows: pa.Table, task: str, loss_scale: float) -> list[float]:
    served = rows.filter(pc.is_valid(rows[VERSION]))
    if task == "classification":
        return [float(wrong) for wrong in pc.not_equal(served[LABEL], served[PREDICTED]).to_pylist()]
    errors = np.abs(served[LABEL].to_numpy() - served[PREDICTED].to_numpy())
    return [loss / MILLION for loss in bounded_losses(errors, loss_scale)]
