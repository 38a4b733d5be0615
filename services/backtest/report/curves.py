"""Curves thin enough to draw: neighbouring slices are merged by adding their counts, never by dropping points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.backtest.result import EvidencePoint, PolicyResult, QualityPoint
from shared.domain.quality import Quality

ROWS_PER_POINT = 250
"""Below about so many rows, chance alone moves accuracy by several points and hides the course."""
FEWEST_POINTS, MOST_POINTS = 24, 120
MOST_EVIDENCE_POINTS = 400


@dataclass(frozen=True, slots=True)
class Grid:
    """Equal windows over the rows (first, last]; every policy's curve is merged on the same ones."""

    first: int
    last: int
    windows: int

    def window(self, row: int) -> int:
        """The window that a row belongs to, 0 to windows - 1."""
        span = max(self.last - self.first, 1)
        nth = -(-(row - self.first) * self.windows // span)
        return min(max(nth - 1, 0), self.windows - 1)

    def end(self, window: int) -> int:
        """The last row of a window."""
        return self.first + (self.last - self.first) * (window + 1) // self.windows

    def start(self, window: int) -> int:
        """The row before the first one of a window."""
        return self.first + (self.last - self.first) * window // self.windows


def grid(first: int, last: int, policies: Iterable[PolicyResult]) -> Grid:
    """Windows wide enough to read and never narrower than the curves' own slices."""
    wanted = min(max((last - first) // ROWS_PER_POINT, FEWEST_POINTS), MOST_POINTS)
    slices = max((len(policy.curve) for policy in policies), default=1)
    return Grid(first, last, max(min(wanted, slices), 1))


def merged(curve: Sequence[QualityPoint], on: Grid) -> dict[int, Quality]:
    """Window -> counts (without the confusion cells, which no curve needs)."""
    sums: dict[int, Quality] = {}
    for point in curve:
        window, counts = on.window(point.row), point.quality
        bare = Quality(counts.n, counts.loss, (), counts.absolute, counts.square)
        sums[window] = sums.get(window, Quality()) + bare
    return {window: quality for window, quality in sorted(sums.items()) if quality.n}


def total(curve: Sequence[QualityPoint], first: int, last: int) -> Quality:
    """Counts over the slices that end in (first, last]."""
    merged_slices = Quality()
    for point in curve:
        if first < point.row <= last:
            counts = point.quality
            merged_slices += Quality(counts.n, counts.loss, (), counts.absolute, counts.square)
    return merged_slices


def thinned(evidence: Sequence[EvidencePoint]) -> list[EvidencePoint]:
    """At most so many points; each holds its group's highest evidence, so that no alarm is smoothed away."""
    size = -(-len(evidence) // MOST_EVIDENCE_POINTS) or 1
    groups = (evidence[start : start + size] for start in range(0, len(evidence), size))
    return [
        EvidencePoint(group[-1].row, _highest(p.inputs for p in group), _highest(p.performance for p in group))
        for group in groups
    ]


def _highest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
