"""Episodes and data faults as bars on the time axis."""

from __future__ import annotations

from services.backtest.report.figures import whole
from services.backtest.report.frame import Frame, canvas, row_axis
from services.backtest.report.html import Markup, element
from services.backtest.report.stories import Chronicle, Episode, Fault
from services.backtest.report.truth import Truth, truth_bands

TRACKS = 4
MOST_BARS = 400
BAR, STEP, HEAD = 16, 23, 20
OUTCOMES = {
    "verified": "promoted and verified",
    "unverified": "promoted without a comparison",
    "rolled-back": "promoted and rolled back",
    "harmless": "harmless",
    "refused": "kept the old model",
    "superseded": "answered elsewhere",
    "failed": "failed",
    "open": "still open at the end",
}


def outcome_words(outcome: str) -> str:
    """The outcome for people; one that this build does not know stands for itself."""
    return OUTCOMES.get(outcome, outcome)


def ending_words(episode: Episode) -> str:
    """How one episode ended; of an answer from elsewhere, from where."""
    if episode.outcome != "superseded":
        return outcome_words(episode.outcome)
    if episode.heir is not None:
        return f"answered as episode {episode.heir}"
    return "explained by broken data" if episode.cleared else "overtaken by a newer model"


def lanes_chart(told: Chronicle, truth: Truth, frame: Frame, label: str) -> Markup:
    """Bars from where a drift is estimated to have begun to its close, and the spans of broken data."""
    episodes, faults = told.episodes[:MOST_BARS], told.faults[:MOST_BARS]
    tracks = _tracks(episodes, frame)
    rows = max(tracks, default=0) + 1
    fault_top = HEAD + rows * STEP + 24
    bottom = fault_top + BAR if faults else HEAD + rows * STEP
    sized = frame.sized(bottom + 46, top=0, bottom=38)
    bars = [_bar(e, sized, HEAD + t * STEP) for e, t in zip(episodes, tracks, strict=True)]
    spans = [_span(fault, sized, fault_top) for fault in faults]
    heads = [_head("episodes", HEAD - 7), *([_head("broken data", fault_top - 7)] if faults else [])]
    return canvas(sized, label, [*truth_bands(truth, sized), *heads, *bars, *spans, *row_axis(sized)])


def _tracks(episodes: tuple[Episode, ...], frame: Frame) -> list[int]:
    """The first free track for each bar, so that simultaneous episodes do not hide each other."""
    free = [-1.0] * TRACKS
    chosen: list[int] = []
    for episode in episodes:
        start = frame.x(episode.detected.since_row)
        track = next((t for t, end in enumerate(free) if end <= start), TRACKS - 1)
        free[track] = start + _width(episode, frame) + 2
        chosen.append(track)
    return chosen


def _width(episode: Episode, frame: Frame) -> float:
    return max(frame.x(episode.end(frame.last)) - frame.x(episode.detected.since_row), 3.0)


def _head(text: str, y: int) -> Markup:
    return element("text", {"class": "unit", "x": 0, "y": y}, text)


def _bar(episode: Episode, frame: Frame, top: int) -> Markup:
    x, width = frame.x(episode.detected.since_row), _width(episode, frame)
    box = {"class": f"bar {episode.outcome}", "x": x, "y": top, "width": width, "height": BAR, "rx": 2}
    told = f"Episode {episode.number}: began about row {whole(episode.detected.since_row)}, detected at row "
    title = element("title", {}, f"{told}{whole(episode.detected.row)}; {ending_words(episode)}")
    alarm = frame.x(episode.detected.row)
    tick = element("line", {"class": "detected", "x1": alarm, "x2": alarm, "y1": top - 2, "y2": top + BAR + 2})
    return element("g", {}, element("rect", box, title), tick, _number(episode, x, width, alarm, top))


def _number(episode: Episode, x: float, width: float, alarm: float, top: int) -> Markup | None:
    """The episode's number on the longer side of the tick, where its bar has room for it."""
    text = str(episode.number)
    first, last = max(((x, alarm), (alarm, x + width)), key=lambda side: side[1] - side[0])
    if last - first < 8 * len(text) + 2:
        return None
    at = {"class": f"number n-{episode.outcome}", "x": (first + last) / 2, "y": top + BAR - 4, "text-anchor": "middle"}
    return element("text", at, text)


def _span(fault: Fault, frame: Frame, top: int) -> Markup:
    x = frame.x(fault.first)
    box = {"class": "bar fault", "x": x, "y": top, "width": max(frame.x(fault.last) - x, 3.0), "height": BAR, "rx": 2}
    words = f"{fault.found.kind} in {fault.found.column}: rows {whole(fault.first)} to {whole(fault.last)}"
    return element("g", {}, element("rect", box, element("title", {}, words)))
