"""The detector that stays silent: what a pipeline does without drift detection, for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from services.drift_detection.detectors import LossDetector


@dataclass(frozen=True, slots=True)
class Nothing:
    """The state of a detector that remembers nothing."""


@dataclass(frozen=True, slots=True)
class NeverAlarms(LossDetector[Nothing]):
    """Never raises an alarm."""

    name: ClassVar[str] = "never"

    def start(self) -> Nothing:
        return Nothing()

    def update(self, state: Nothing, loss: float) -> tuple[Nothing, bool]:  # noqa: ARG002 - the null object
        return state, False

    def update_many(self, state: Nothing, losses: Sequence[float]) -> tuple[Nothing, tuple[int, ...]]:  # noqa: ARG002
        return state, ()


DETECTOR = NeverAlarms
