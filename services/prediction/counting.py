"""Joined rows to `PerformanceCounted`: counts per version, one event per step slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.prediction.joining import LABEL, LOSS_SCALE, VERSION
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


def slices(rows: pa.Table, first: int, steps: Steps, task: str, single: bool) -> Iterator[Slice]:
    """Cut joined rows at the steps' ends; ``single`` keeps each row's loss too."""
    start, last = first, first + len(rows)
    while start < last:
        end = min(steps.end(start), last)
        part = rows.slice(start - first, end - start)
        losses = tuple(_losses(part, task)) if single else ()
        yield Slice(start, end, _by_version(part, task), losses)
        start = end


def _by_version(rows: pa.Table, task: str) -> dict[str, Quality]:
    versions = [version for version in pc.unique(rows[VERSION]).to_pylist() if version is not None]
    if len(versions) == 1 and rows[VERSION].null_count == 0:
        return {versions[0]: _quality(rows, task)}
    return {version: _quality(rows.filter(pc.equal(rows[VERSION], version)), task) for version in sorted(versions)}


def _quality(rows: pa.Table, task: str) -> Quality:
    true, predicted = rows[LABEL].to_pylist(), rows[PREDICTED].to_pylist()
    if task == "classification":
        return classification_quality(true, predicted)
    return regression_quality(true, predicted, rows[LOSS_SCALE][0].as_py())


def _losses(rows: pa.Table, task: str) -> list[float]:
    served = rows.filter(pc.is_valid(rows[VERSION]))
    if task == "classification":
        return [float(wrong) for wrong in pc.not_equal(served[LABEL], served[PREDICTED]).to_pylist()]
    errors = np.abs(served[LABEL].to_numpy() - served[PREDICTED].to_numpy())
    return [loss / MILLION for loss in bounded_losses(errors / served[LOSS_SCALE].to_numpy(), 1.0)]
