"""The one number that policies are compared by: accuracy, or mean absolute error for regression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.backtest.report.figures import measured, percent
from shared.domain.quality import MILLION, Quality


@dataclass(frozen=True, slots=True)
class Measure:
    """A quality measure: ``of`` computes it, ``text`` writes it."""

    noun: str
    axis: str
    higher_is_better: bool
    of: Callable[[Quality], float]
    text: Callable[[float], str]
    regret_unit: str
    regret: Callable[[Quality, Quality], float]
    """How much worse the first is than the second, in ``regret_unit``."""

    def gain(self, ours: Quality, theirs: Quality) -> float:
        """By how much ours is better (negative: worse), in the measure's own unit."""
        difference = self.of(ours) - self.of(theirs)
        return difference if self.higher_is_better else -difference

    def same(self, ours: Quality, theirs: Quality) -> bool:
        """Whether a reader could not tell them apart, since both are written alike."""
        return self.text(self.of(ours)) == self.text(self.of(theirs))


def _accuracy(quality: Quality) -> float:
    return 1 - quality.mean_loss if quality.n else 0.0


def _absolute(quality: Quality) -> float:
    return quality.absolute / MILLION / quality.n if quality.n else 0.0


def _more_errors(ours: Quality, best: Quality) -> float:
    return 1000 * (ours.mean_loss - best.mean_loss)


def _more_error(ours: Quality, best: Quality) -> float:
    return _absolute(ours) - _absolute(best)


ACCURACY = Measure(
    "accuracy", "accuracy in %", True, _accuracy, percent, "extra errors per 1,000 records", _more_errors
)
ABSOLUTE_ERROR = Measure(
    "mean absolute error",
    "mean absolute error, in the label’s unit",
    False,
    _absolute,
    measured,
    "extra mean absolute error",
    _more_error,
)


def measure_of(task: str) -> Measure:
    """The measure for the task ("classification" or "regression")."""
    return ABSOLUTE_ERROR if task == "regression" else ACCURACY
