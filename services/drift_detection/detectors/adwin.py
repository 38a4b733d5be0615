"""ADWIN: a window that is cut where the means of its two parts differ by more than chance allows.

Bifet and Gavalda, "Learning from time-changing data with adaptive windowing", SDM 2007: the second version, with an
exponential histogram, so that a window of n rows costs O(log n).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from services.drift_detection.detectors import LossDetector, finite, require


@dataclass(frozen=True, slots=True)
class AdwinState:
    """The window since the start or the last alarm.

    ``deviations``: sum of squared deviations from the mean. ``levels[i]``: sums of 2**i consecutive losses each,
    oldest first; the oldest losses are in the last level.
    """

    rows: int = 0
    total: float = 0.0
    deviations: float = 0.0
    levels: tuple[tuple[float, ...], ...] = ((),)


@dataclass(frozen=True, slots=True)
class Adwin(LossDetector[AdwinState]):
    """Alarms when some cut divides the window into two parts with different means; the window then starts anew.

    Two-sided: a loss that falls alarms as well.
    ``delta``: chance of a false cut, per test. ``clock``: rows between tests. ``buckets``: sums kept per level.
    ``minimum_part``: rows either side of a cut, at least. ``grace``: no test before the window is longer than this.
    """

    name: ClassVar[str] = "adwin"

    delta: float = 0.002
    clock: int = 32
    buckets: int = 5
    minimum_part: int = 5
    grace: int = 10

    def __post_init__(self) -> None:
        require(0 < self.delta < 1, self.name, "delta", "in (0, 1)", self.delta)
        require(self.clock >= 1, self.name, "clock", "1 or more", self.clock)
        require(self.buckets >= 2, self.name, "buckets", "2 or more", self.buckets)
        require(self.minimum_part >= 1, self.name, "minimum_part", "1 or more", self.minimum_part)
        require(self.grace >= 0, self.name, "grace", "0 or more", self.grace)

    def start(self) -> AdwinState:
        return AdwinState()

    def update(self, state: AdwinState, loss: float) -> tuple[AdwinState, bool]:
        after, alarms = self.update_many(state, (loss,))
        return after, bool(alarms)

    def update_many(self, state: AdwinState, losses: Sequence[float]) -> tuple[AdwinState, tuple[int, ...]]:
        window, alarms = _Window(state), []
        for index, loss in enumerate(losses):
            window.add(finite(self.name, loss), self.buckets)
            if window.rows % self.clock == 0 and window.rows > self.grace and self._differs(window):
                alarms.append(index)
                window = _Window(self.start())
        return window.state(), tuple(alarms)

    def _differs(self, window: _Window) -> bool:
        """Whether any cut's difference of means exceeds the bound (theorem 3.1 of the paper, with the variance)."""
        doubt = math.log(2 * math.log(window.rows) / self.delta)
        spread = 2 * window.deviations / window.rows * doubt
        spare = self.minimum_part - 1
        for old, total in window.cuts():
            new = window.rows - old
            if old < self.minimum_part or new < self.minimum_part:
                continue
            weight = 1 / (old - spare) + 1 / (new - spare)
            bound = math.sqrt(spread * weight) + 2 / 3 * doubt * weight
            if abs(total / old - (window.total - total) / new) > bound:
                return True
        return False


class _Window:
    """An `AdwinState` to work on: per row a frozen one would be copied whole."""

    __slots__ = ("deviations", "levels", "rows", "total")

    def __init__(self, state: AdwinState) -> None:
        self.rows, self.total, self.deviations = state.rows, state.total, state.deviations
        self.levels = [list(level) for level in state.levels]

    def state(self) -> AdwinState:
        return AdwinState(self.rows, self.total, self.deviations, tuple(tuple(level) for level in self.levels))

    def add(self, loss: float, buckets: int) -> None:
        if self.rows:
            self.deviations += self.rows * (loss - self.total / self.rows) ** 2 / (self.rows + 1)
        self.rows += 1
        self.total += loss
        self.levels[0].append(loss)
        for index, level in enumerate(self.levels):
            if len(level) <= buckets:
                break
            if index + 1 == len(self.levels):
                self.levels.append([])
            self.levels[index + 1].append(level.pop(0) + level.pop(0))

    def cuts(self) -> Iterator[tuple[int, float]]:
        """Rows and sum of the older part, for each boundary between buckets."""
        rows, total = 0, 0.0
        for index in range(len(self.levels) - 1, -1, -1):
            for each in self.levels[index]:
                rows += 1 << index
                total += each
                yield rows, total


DETECTOR = Adwin
