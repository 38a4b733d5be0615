"""The detector's evidence over time, as log10 of its ratio to the alarm threshold."""

from __future__ import annotations

import json
from collections.abc import Callable

from services.backtest.report.curves import thinned
from services.backtest.report.figures import whole
from services.backtest.report.frame import Frame, apart, canvas, row_axis, ticks, value_axis
from services.backtest.report.html import Markup, element
from services.backtest.report.truth import Truth, truth_bands
from services.backtest.result import EvidencePoint

DEEPEST, HIGHEST = -6.0, 3.0
"""What lies outside is drawn at the edge: how hopeless or how certain does not matter to anyone."""

Read = Callable[[EvidencePoint], float | None]
KINDS: tuple[tuple[str, int, Read], ...] = (
    ("inputs", 8, lambda point: point.inputs),
    ("labels", 9, lambda point: point.performance),
)


def evidence_chart(evidence: tuple[EvidencePoint, ...], truth: Truth, frame: Frame, label: str) -> Markup:
    """Both kinds of evidence against the alarm line at 0."""
    points = thinned(evidence)
    scaled = _scaled(points, frame)
    parts = [
        *truth_bands(truth, scaled),
        _alarm_zone(scaled),
        *value_axis(
            scaled, [(value, _power(value)) for value in ticks(scaled.low, scaled.high, 4)], "× alarm threshold"
        ),
        *row_axis(scaled),
        *(
            element("polyline", {"class": f"line s{style}", "points": run})
            for _, style, read in KINDS
            for run in _runs(points, read, scaled)
        ),
        _alarm_line(scaled),
        *(_names(points, scaled) if frame.wide else []),
    ]
    return canvas(scaled, label, parts, _hover(points, scaled))


def _scaled(points: list[EvidencePoint], frame: Frame) -> Frame:
    values = [value for point in points for _, _, read in KINDS if (value := read(point)) is not None]
    low = max(min(values, default=-2.0), DEEPEST)
    high = min(max(values, default=0.0), HIGHEST)
    return frame.scaled(min(low, -1.0) - 0.2, max(high, 0.5) + 0.2)


def _power(value: float) -> str:
    superscript = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return "1" if value == 0 else "10" + f"{value:g}".translate(superscript) if value == int(value) else ""


def _runs(points: list[EvidencePoint], read: Read, frame: Frame) -> list[str]:
    """Polylines, broken where there is no evidence: a new generation starts its detector anew."""
    runs: list[list[str]] = [[]]
    for point in points:
        value = read(point)
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{frame.x(point.row):g},{frame.y(value):g}")
    return [" ".join(run) for run in runs if run]


def _alarm_zone(frame: Frame) -> Markup:
    y = frame.y(0)
    box = {"class": "alarm-zone", "x": frame.left, "y": frame.top}
    return element("rect", box | {"width": frame.plot_right - frame.left, "height": y - frame.top})


def _alarm_line(frame: Frame) -> Markup:
    y = frame.y(0)
    line = element("line", {"class": "alarm-line", "x1": frame.left, "x2": frame.plot_right, "y1": y, "y2": y})
    return element("g", {}, line, element("text", {"class": "alarm-name", "x": frame.left + 6, "y": y - 5}, "alarm"))


def _names(points: list[EvidencePoint], frame: Frame) -> list[Markup]:
    last = [(name, style, value) for name, style, read in KINDS if (value := _last(points, read)) is not None]
    heights = apart([frame.y(value) for _, _, value in last], 17, frame.top + 4, frame.plot_bottom - 4)
    return [
        element("text", {"class": f"end t{style}", "x": frame.plot_right + 16, "y": height + 4}, f"from {name}")
        for (name, style, _), height in zip(last, heights, strict=True)
    ]


def _last(points: list[EvidencePoint], read: Read) -> float | None:
    return next((value for point in reversed(points) if (value := read(point)) is not None), None)


def _hover(points: list[EvidencePoint], frame: Frame) -> str:
    return json.dumps(
        {
            "left": frame.left,
            "right": frame.plot_right,
            "top": frame.top,
            "x": [frame.x(point.row) for point in points],
            "heads": [f"row {whole(point.row)}" for point in points],
            "series": [
                {"name": f"from {name}", "style": style, "text": [_ratio(read(point)) for point in points]}
                for name, style, read in KINDS
            ],
        },
        separators=(",", ":"),
    )


def _ratio(value: float | None) -> str:
    """The evidence as a multiple of the threshold."""
    if value is None:
        return "–"
    return f"{10**value:.2g} ×" if abs(value) < 4 else "under 0.0001 ×" if value < 0 else "over 10,000 ×"
