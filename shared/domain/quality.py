"""Model quality from mergeable integer counts: add two slices' counts, then compute any metric.

Losses are integers in millionths (an error counts 1,000,000), so that merging lanes in any order gives the same bits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MILLION = 1_000_000
LARGEST_ERROR = 1e100
"""Larger errors count as this one, and so does one that is no number: its square in millionths is still a float."""

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Quality:
    """What a version's predictions were worth on some labelled rows.

    ``confusion`` holds (true class, predicted class, count), sorted, for classification. For regression it is empty
    and ``absolute`` and ``square`` hold the sums of |error| and error² in millionths of the label's unit.
    ``loss`` is bounded, in millionths per row: 0/1 errors, or |error| over the loss scale, cut at 1.
    """

    n: int = 0
    loss: int = 0
    confusion: tuple[tuple[str, str, int], ...] = ()
    absolute: int = 0
    square: int = 0

    def __add__(self, other: Quality) -> Quality:
        cells: Counter[tuple[str, str]] = Counter()
        for true, predicted, count in (*self.confusion, *other.confusion):
            cells[true, predicted] += count
        return Quality(
            self.n + other.n,
            self.loss + other.loss,
            tuple((true, predicted, count) for (true, predicted), count in sorted(cells.items())),
            self.absolute + other.absolute,
            self.square + other.square,
        )

    @property
    def mean_loss(self) -> float:
        return self.loss / (MILLION * self.n) if self.n else 0.0


def classification_metrics(quality: Quality) -> dict[str, float]:
    """Accuracy, Cohen's kappa, and the macro averages of precision, recall and F1 over the classes seen."""
    if not quality.n:
        return {}
    true, predicted, hits = _margins(quality)
    classes = sorted(true.keys() | predicted.keys())
    accuracy = sum(hits.values()) / quality.n
    chance = sum(true[c] * predicted[c] for c in classes) / quality.n**2
    precision = [_ratio(hits[c], predicted[c]) for c in classes]
    recall = [_ratio(hits[c], true[c]) for c in classes]
    f1 = [_ratio(2 * hits[c], true[c] + predicted[c]) for c in classes]
    return {
        "accuracy": accuracy,
        # One class, always predicted: agreement is no better than chance, which is kappa's zero.
        "kappa": (accuracy - chance) / (1 - chance) if chance < 1 else 0.0,
        "precision_macro": sum(precision) / len(classes),
        "recall_macro": sum(recall) / len(classes),
        "f1_macro": sum(f1) / len(classes),
    }


def regression_metrics(quality: Quality) -> dict[str, float]:
    """Mean absolute error and root mean squared error, in the label's unit."""
    if not quality.n:
        return {}
    return {"mae": quality.absolute / MILLION / quality.n, "rmse": (quality.square / MILLION / quality.n) ** 0.5}


def metrics(quality: Quality) -> dict[str, float]:
    """The metrics that fit the counts."""
    return classification_metrics(quality) if quality.confusion else regression_metrics(quality)


def _margins(quality: Quality) -> tuple[Counter[str], Counter[str], Counter[str]]:
    true: Counter[str] = Counter()
    predicted: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for is_class, said, count in quality.confusion:
        true[is_class] += count
        predicted[said] += count
        if is_class == said:
            hits[is_class] += count
    return true, predicted, hits


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def classification_quality(true: Sequence[str], predicted: Sequence[str]) -> Quality:
    """Counts of one slice's predictions."""
    cells = Counter(zip(true, predicted, strict=True))
    wrong = sum(count for (is_class, said), count in cells.items() if is_class != said)
    confusion = tuple((is_class, said, count) for (is_class, said), count in sorted(cells.items()))
    return Quality(len(true), wrong * MILLION, confusion)


def regression_quality(true: Sequence[float], predicted: Sequence[float], loss_scale: float) -> Quality:
    """Counts of one slice's predictions; rows are rounded to millionths one by one, so sums merge exactly."""
    errors = _errors(np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64))
    return Quality(
        len(errors),
        sum(bounded_losses(errors, loss_scale)),
        (),
        _millionths(errors),
        _millionths(errors**2),
    )


def _errors(true: Floats, predicted: Floats) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.fmin(np.abs(true - predicted), LARGEST_ERROR)


def bounded_losses(errors: Floats, loss_scale: float) -> list[int]:
    """|error| over the scale, cut at 1, in millionths per row. An error that is no number is a whole one."""
    # 'fmin' gives the other side where one is NaN.
    return [int(loss) for loss in np.rint(np.fmin(errors / loss_scale, 1.0) * MILLION)]


def _millionths(values: Floats) -> int:
    # Python integers: squares of large errors would overflow 64 bits.
    return sum(round(value * MILLION) for value in values.tolist())


def merge_versions(left: Mapping[str, Quality], right: Mapping[str, Quality]) -> dict[str, Quality]:
    """Counts per model version, added; a version's losses never mix with another's."""
    return {v: left.get(v, Quality()) + right.get(v, Quality()) for v in sorted(left.keys() | right.keys())}
