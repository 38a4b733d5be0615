"""The Page-Hinkley test: cumulated deviations from the running mean, with slow forgetting.

Page, "Continuous inspection schemes", Biometrika 41 (1954). The deviations are taken from the mean of all losses
since the start, the newest one included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from services.drift_detection.detectors import LossDetector, finite, require


@dataclass(frozen=True, slots=True)
class PageHinkleyState:
    """Losses seen and their mean; the two cumulated sums, with the lowest and the highest they have been."""

    seen: int = 0
    mean: float = 0.0
    rising: float = 0.0
    falling: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0


@dataclass(frozen=True, slots=True)
class PageHinkley(LossDetector[PageHinkleyState]):
    """Alarms when the mean has drifted away from its past: upwards, downwards, or either.

    ``delta``: deviation per row that is tolerated. ``threshold``: cumulated deviation that alarms. ``alpha``: what a
    row's deviation keeps of its weight per later row. ``minimum_rows``: silent before that many.
    """

    name: ClassVar[str] = "page-hinkley"

    minimum_rows: int = 30
    delta: float = 0.005
    threshold: float = 50.0
    alpha: float = 1 - 0.0001
    mode: Literal["up", "down", "both"] = "both"

    def __post_init__(self) -> None:
        require(self.minimum_rows >= 1, self.name, "minimum_rows", "1 or more", self.minimum_rows)
        require(self.delta >= 0, self.name, "delta", "0 or more", self.delta)
        require(self.threshold > 0, self.name, "threshold", "above 0", self.threshold)
        require(0 < self.alpha <= 1, self.name, "alpha", "in (0, 1]", self.alpha)
        require(self.mode in ("up", "down", "both"), self.name, "mode", "'up', 'down' or 'both'", self.mode)

    def start(self) -> PageHinkleyState:
        return PageHinkleyState()

    def update(self, state: PageHinkleyState, loss: float) -> tuple[PageHinkleyState, bool]:
        seen = state.seen + 1
        mean = state.mean + 1 / seen * (finite(self.name, loss) - state.mean)
        rising = self.alpha * state.rising + (loss - mean) - self.delta
        falling = self.alpha * state.falling + (loss - mean) + self.delta
        lowest, highest = min(rising, state.lowest), max(falling, state.highest)
        if seen >= self.minimum_rows and self._alarms(rising - lowest, highest - falling):
            return self.start(), True
        return PageHinkleyState(seen, mean, rising, falling, lowest, highest), False

    def _alarms(self, rise: float, fall: float) -> bool:
        return (self.mode != "down" and rise > self.threshold) or (self.mode != "up" and fall > self.threshold)


DETECTOR = PageHinkley
