"""A plot's frame: rows and values to coordinates, and the axes around them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from services.backtest.report.figures import whole
from services.backtest.report.html import Markup, element


@dataclass(frozen=True, slots=True)
class Frame:
    """Outer size and margins in pixels; rows (first, last) left to right, values (low, high) bottom to top."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    first: int
    last: int
    low: float = 0.0
    high: float = 1.0

    @property
    def wide(self) -> bool:
        """Whether there is room for labels beside the lines."""
        return self.right > 60

    @property
    def plot_right(self) -> int:
        return self.width - self.right

    @property
    def plot_bottom(self) -> int:
        return self.height - self.bottom

    def x(self, row: float) -> float:
        share = (row - self.first) / max(self.last - self.first, 1)
        return round(self.left + min(max(share, 0.0), 1.0) * (self.plot_right - self.left), 1)

    def y(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(self.plot_bottom - min(max(share, 0.0), 1.0) * (self.plot_bottom - self.top), 1)

    def sized(self, height: int, *, top: int | None = None, bottom: int | None = None) -> Frame:
        """The same time axis on another height."""
        return replace(
            self,
            height=height,
            top=self.top if top is None else top,
            bottom=self.bottom if bottom is None else bottom,
        )

    def scaled(self, low: float, high: float) -> Frame:
        """The same frame with another range of values."""
        return replace(self, low=low, high=high)


def wide_frame(last: int) -> Frame:
    """For screens and paper: labels stand beside the lines' ends."""
    return Frame(width=1080, height=380, left=52, right=224, top=26, bottom=40, first=0, last=last)


def narrow_frame(last: int) -> Frame:
    """For phones: the plot takes the whole width, names stand in a legend above it."""
    return Frame(width=360, height=270, left=38, right=14, top=26, bottom=38, first=0, last=last)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) within the range, roughly so many."""
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next((power * m for m in (1, 2, 5) if power * m >= span / about), power * 10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def row_axis(frame: Frame, *, unit: str | None = "records") -> list[Markup]:
    """Ticks in rows below the plot, the unit under them."""
    base = frame.plot_bottom
    marks = [_row_tick(frame, row) for row in ticks(frame.first, frame.last, 8 if frame.wide else 3)]
    line = element("line", {"class": "axis", "x1": frame.left, "x2": frame.plot_right, "y1": base, "y2": base})
    return [line, *marks] if unit is None else [line, *marks, _unit(frame, unit)]


def _unit(frame: Frame, unit: str) -> Markup:
    middle = (frame.left + frame.plot_right) / 2
    return element("text", {"class": "unit", "x": middle, "y": frame.height - 4, "text-anchor": "middle"}, unit)


def _row_tick(frame: Frame, row: float) -> Markup:
    x, base = frame.x(row), frame.plot_bottom
    line = element("line", {"class": "axis", "x1": x, "x2": x, "y1": base, "y2": base + 4})
    return element("g", {}, line, element("text", {"x": x, "y": base + 17, "text-anchor": "middle"}, whole(row)))


def value_axis(frame: Frame, labels: list[tuple[float, str]], unit: str) -> list[Markup]:
    """Hairlines with their values at the left; the unit stands above the axis."""
    head = element("text", {"class": "unit", "x": 0, "y": frame.top - 12}, unit)
    return [head, *(_value_tick(frame, value, label) for value, label in labels)]


def _value_tick(frame: Frame, value: float, label: str) -> Markup:
    y = frame.y(value)
    line = element("line", {"class": "grid", "x1": frame.left, "x2": frame.plot_right, "y1": y, "y2": y})
    text = element("text", {"x": frame.left - 8, "y": y + 4, "text-anchor": "end"}, label)
    return element("g", {}, line, text)


def apart(places: list[float], gap: float, low: float, high: float) -> list[float]:
    """Label heights moved as little as needed so that none lies over another; the order is kept."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    floor = low
    for index in order:
        moved[index] = max(places[index], floor)
        floor = moved[index] + gap
    ceiling = high
    for index in reversed(order):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    return moved


def canvas(frame: Frame, label: str, parts: list[Markup], data: str | None = None) -> Markup:
    """The ``<svg>``; ``data`` is the JSON that the hover script reads."""
    return element(
        "svg",
        {
            "class": "wide" if frame.wide else "narrow",
            "viewBox": f"0 0 {frame.width} {frame.height}",
            "role": "img",
            "aria-label": label,
            "data-hover": data,
        },
        parts,
    )
