"""DDM, the drift detection method: an error rate far above the best it has been.

Gama, Medas, Castillo, Rodrigues, "Learning with drift detection", SBIA 2004.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from services.drift_detection.detectors import DetectorError, LossDetector, require


@dataclass(frozen=True, slots=True)
class DdmState:
    """Losses seen and their mean; mean and standard error where their sum was lowest (None before the warm-up ends)."""

    seen: int = 0
    mean: float = 0.0
    best: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Ddm(LossDetector[DdmState]):
    """Alarms when mean + standard error exceed their lowest by ``deviations`` standard errors.

    For losses in [0, 1]: errors of a classifier, or a clipped and scaled error. Silent for ``warm_up`` rows.
    """

    name: ClassVar[str] = "ddm"

    warm_up: int = 30
    deviations: float = 3.0

    def __post_init__(self) -> None:
        require(self.warm_up >= 1, self.name, "warm_up", "1 or more", self.warm_up)
        require(self.deviations > 0, self.name, "deviations", "above 0", self.deviations)

    def start(self) -> DdmState:
        return DdmState()

    def update(self, state: DdmState, loss: float) -> tuple[DdmState, bool]:
        if not 0 <= loss <= 1:
            raise DetectorError(f"detector {self.name!r}: a loss has to be in [0, 1]; it is {loss!r}")
        seen = state.seen + 1
        mean = state.mean + 1 / seen * (loss - state.mean)
        if seen <= self.warm_up:
            return DdmState(seen, mean), False
        error = math.sqrt(mean * (1 - mean) / seen)
        best = state.best
        if best is None or mean + error <= best[0] + best[1]:
            best = (mean, error)
        if mean + error > best[0] + self.deviations * best[1]:
            return self.start(), True
        return DdmState(seen, mean, best), False


DETECTOR = Ddm
