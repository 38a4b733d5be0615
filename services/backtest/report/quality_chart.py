"""Quality over time: one line per policy, the main one in front."""

from __future__ import annotations

import json
from dataclasses import dataclass

from services.backtest.report.curves import Grid, grid, merged
from services.backtest.report.figures import measured, whole
from services.backtest.report.frame import Frame, apart, canvas, row_axis, ticks, value_axis
from services.backtest.report.html import Markup, element
from services.backtest.report.measures import Measure, measure_of
from services.backtest.report.policies import in_display_order, main_policy, trivial
from services.backtest.report.truth import Truth, truth_bands
from services.backtest.result import BacktestResult
from shared.events.base import Event
from shared.events.deployment import CandidatePromoted, PromotionRolledBack

LINE_STYLES = 8
"""So many dash patterns and colours exist in the style sheet; the main policy's is number 0."""
MARK_GAP = 11.0
"""Pixels between two marks of a kind; closer ones are drawn once."""


@dataclass(frozen=True, slots=True)
class Line:
    """One policy's course. ``style`` numbers its colour and dashes."""

    name: str
    style: int
    whole_run: str
    values: dict[int, float]


@dataclass(frozen=True, slots=True)
class Course:
    """All that the chart shows, before it has a size."""

    lines: tuple[Line, ...]
    left_out: tuple[Line, ...]
    """Answers without a model so far off that their scale would flatten what the chart is about."""
    on: Grid
    measure: Measure
    initial: int
    truth: Truth
    marks: tuple[Event, ...]


def course(result: BacktestResult) -> Course:
    """The merged curves of every policy, the main one first, and the main one's changes of model."""
    measure, on = measure_of(result.task), grid(result.initial, result.records, result.policies)
    lines = tuple(
        Line(
            policy.name,
            index if index < LINE_STYLES else 1 + (index - 1) % (LINE_STYLES - 1),
            measure.text(measure.of(policy.quality)) if policy.quality.n else "no labels",
            {window: measure.of(quality) for window, quality in merged(policy.curve, on).items()},
        )
        for index, policy in enumerate(in_display_order(result))
    )
    changes = CandidatePromoted | PromotionRolledBack
    marks = tuple(event for event in main_policy(result).ledger if isinstance(event, changes))
    off = _far_off(lines, frozenset(policy.name for policy in result.policies if trivial(policy)))
    drawn = tuple(line for line in lines if line not in off)
    return Course(drawn, off, on, measure, result.initial, result.truth, marks)


def _far_off(lines: tuple[Line, ...], without_model: frozenset[str]) -> tuple[Line, ...]:
    """Trivial policies for which the axis would have to be more than twice as long."""
    others = [value for line in lines if line.name not in without_model for value in line.values.values()]
    if not others:
        return ()
    low, high = min(others), max(others)
    least, most = low - (high - low), high + (high - low)
    judged = (line for line in lines if line.name in without_model and line.values)
    return tuple(line for line in judged if min(line.values.values()) < least or max(line.values.values()) > most)


def quality_chart(shown: Course, frame: Frame, label: str) -> Markup:
    """The chart in one size."""
    scaled = _scaled(shown, frame)
    parts = [
        *truth_bands(shown.truth, scaled, lettered=True),
        *_initial(shown, scaled),
        *value_axis(scaled, _value_labels(shown, scaled), shown.measure.axis),
        *row_axis(scaled),
        *(_path(line, shown.on, scaled) for line in reversed(shown.lines)),
        *_marks(shown, scaled),
        *(_end_labels(shown, scaled) if frame.wide else []),
    ]
    return canvas(scaled, label, parts, _hover(shown, scaled))


def _scaled(shown: Course, frame: Frame) -> Frame:
    values = [value for line in shown.lines for value in line.values.values()] or [0.0, 1.0]
    low, high = min(values), max(values)
    room = max((high - low) * 0.06, abs(high) * 0.01, 1e-9)
    most = 1.0 if shown.measure.higher_is_better else high + room
    return frame.scaled(max(low - room, 0.0), min(high + room, most))


def _value_labels(shown: Course, frame: Frame) -> list[tuple[float, str]]:
    at = ticks(frame.low, frame.high, 5)
    if shown.measure.higher_is_better:
        return [(value, f"{100 * value:.4g}") for value in at]
    return [(value, measured(value) if value else "0") for value in at]


def _points(line: Line, on: Grid, frame: Frame) -> list[tuple[float, float]]:
    return [(frame.x((on.start(w) + on.end(w)) / 2), frame.y(value)) for w, value in line.values.items()]


def _path(line: Line, on: Grid, frame: Frame) -> Markup:
    points = " ".join(f"{x:g},{y:g}" for x, y in _points(line, on, frame))
    return element("polyline", {"class": f"line s{line.style}", "points": points})


def _initial(shown: Course, frame: Frame) -> list[Markup]:
    x = frame.x(shown.initial)
    if x - frame.left < 1:
        return []
    box = {"class": "initial", "x": frame.left, "y": frame.top, "width": x - frame.left}
    title = element("title", {}, f"The first {whole(shown.initial)} records train the first model.")
    area = element("rect", box | {"height": frame.plot_bottom - frame.top}, title)
    if x - frame.left < 40:
        return [area]
    at = {"class": "unit", "x": (frame.left + x) / 2, "y": frame.plot_bottom - 8, "text-anchor": "middle"}
    return [area, element("text", at, "initial")]


def _marks(shown: Course, frame: Frame) -> list[Markup]:
    if not shown.lines or not shown.lines[0].values:
        return []
    return [_mark(event, shown, frame) for event in _uncrowded(shown, frame)]


def _uncrowded(shown: Course, frame: Frame) -> list[Event]:
    """Changes of model far enough from the last drawn one of their kind to be told apart."""
    last: dict[str, float] = {}
    kept = []
    for event in shown.marks:
        x = frame.x(_row(event))
        if _row(event) > shown.initial and x - last.get(event.type, -MARK_GAP) >= MARK_GAP:
            last[event.type] = x
            kept.append(event)
    return kept


def _row(event: Event) -> int:
    return event.row if isinstance(event, CandidatePromoted | PromotionRolledBack) else 0


def _mark(event: Event, shown: Course, frame: Frame) -> Markup:
    row, values = _row(event), shown.lines[0].values
    window = min(values, key=lambda w: abs(w - shown.on.window(row)))
    x, y = frame.x(row), frame.y(values[window])
    if isinstance(event, PromotionRolledBack):
        path, kind, words = f"M{x:g} {y + 15:g}l-5.5 -9h11z", "rolled-back", "rolled back"
    else:
        path, kind, words = f"M{x:g} {y - 15:g}l-5.5 9h11z", "promoted", "a new model was promoted"
    return element("path", {"class": f"mark {kind}", "d": path}, element("title", {}, f"row {whole(row)}: {words}"))


def _end_labels(shown: Course, frame: Frame) -> list[Markup]:
    drawn = [(line, *_points(line, shown.on, frame)[-1]) for line in shown.lines if line.values]
    heights = apart([y for _, _, y in drawn], 17, frame.top + 4, frame.plot_bottom - 4)
    return [_end_label(line, x, y, place, frame) for (line, x, y), place in zip(drawn, heights, strict=True)]


def _end_label(line: Line, x: float, y: float, place: float, frame: Frame) -> Markup:
    edge = frame.plot_right
    leader = {"class": f"leader c{line.style}", "points": f"{x:g},{y:g} {edge + 6:g},{place:g} {edge + 12:g},{place:g}"}
    name = line.name if len(line.name) <= 22 else line.name[:21] + "…"
    value = element("tspan", {"class": "aside", "dx": 6}, line.whole_run)
    at = {"class": f"end t{line.style}", "x": edge + 16, "y": place + 4}
    return element("g", {}, element("polyline", leader), element("text", at, name, value))


def _hover(shown: Course, frame: Frame) -> str:
    windows = sorted({window for line in shown.lines for window in line.values})
    return json.dumps(
        {
            "left": frame.left,
            "right": frame.plot_right,
            "top": frame.top,
            "x": [frame.x((shown.on.start(w) + shown.on.end(w)) / 2) for w in windows],
            "heads": [f"rows {whole(shown.on.start(w) + 1)} – {whole(shown.on.end(w))}" for w in windows],
            "series": [
                {
                    "name": line.name,
                    "style": line.style,
                    "text": [shown.measure.text(line.values[w]) if w in line.values else "–" for w in windows],
                }
                for line in shown.lines
            ],
        },
        separators=(",", ":"),
    )
