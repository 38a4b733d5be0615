"""The charts that share one time axis: quality, evidence, episodes and data faults."""

from __future__ import annotations

from collections.abc import Callable

from services.backtest.report.evidence_chart import evidence_chart
from services.backtest.report.figures import whole
from services.backtest.report.frame import Frame, narrow_frame, wide_frame
from services.backtest.report.headline import evidence_finding, lanes_finding, quality_finding
from services.backtest.report.html import Child, Markup, element
from services.backtest.report.lanes import OUTCOMES, lanes_chart
from services.backtest.report.policies import main_policy
from services.backtest.report.quality_chart import Course, course, quality_chart
from services.backtest.report.stories import Chronicle
from services.backtest.report.tables import slices_table
from services.backtest.report.truth import truth_words
from services.backtest.result import BacktestResult

MEANINGS = {
    "harmless": "Harmless: the inputs moved, with no clear sign that the model suffers.",
    "superseded": "Answered elsewhere: another episode, a data fault or a newer model took care of it.",
}


def timeline(result: BacktestResult, told: Chronicle) -> Markup:
    """Quality, evidence, and episodes with data faults, one below the other on the same axis of records."""
    main = main_policy(result)
    figures = [_quality_figure(result)]
    if main.evidence:
        finding = evidence_finding(told)
        note = (
            "Evidence as a multiple of what an alarm needs, on a logarithmic scale; what lies beyond it is drawn at "
            "its edge. A new model starts its count anew."
        )
        figures.append(
            _figure(
                finding, lambda f: evidence_chart(main.evidence, result.truth, _low(f), finding), result.records, note
            )
        )
    if told.episodes or told.faults:
        ended = lanes_finding(told)
        figures.append(
            _figure(
                ended,
                lambda f: lanes_chart(told, result.truth, f, ended),
                result.records,
                _lanes_note(told),
                _outcome_legend(told),
            )
        )
    return element("section", {"class": "timeline"}, element("h2", {}, "Over time"), figures)


def _quality_figure(result: BacktestResult) -> Markup:
    shown, finding = course(result), quality_finding(result)
    if not any(line.values for line in shown.lines):
        return element("p", {"class": "note"}, "This run recorded no quality over time.")
    figure = _figure(
        finding,
        lambda frame: quality_chart(shown, frame, f"Line chart. {finding}. The table below holds its figures."),
        result.records,
        _quality_note(shown, result),
        _legend(shown),
    )
    head = element("summary", {}, "These curves as a table")
    return element("div", {}, figure, element("details", {"class": "under"}, head, slices_table(result)))


def _low(frame: Frame) -> Frame:
    return frame.sized(230 if frame.wide else 190)


def _figure(title: str, draw: Callable[[Frame], Markup], records: int, note: str, legend: Child = None) -> Markup:
    head = element("h3", {}, title)
    charts = element("div", {"class": "chart"}, draw(wide_frame(records)), draw(narrow_frame(records)))
    return element("figure", {}, head, legend, charts, element("figcaption", {}, note))


def _quality_note(shown: Course, result: BacktestResult) -> str:
    span = (result.records - result.initial) // max(shown.on.windows, 1)
    note = f"Each point stands for about {whole(span)} records. Figures beside the names are over the whole run. "
    marks = "▲ a new model was promoted, ▽ one was rolled back (main policy only)."
    off = ", ".join(f"{line.name} ({line.whole_run})" for line in shown.left_out)
    missing = f" Too far off to be drawn here: {off}." if off else ""
    return f"{note}{marks}{missing}{truth_words(result.truth)}"


def _legend(shown: Course) -> Markup:
    """Names with a piece of their line: shown where there is no room for labels at the lines' ends."""
    return element("ul", {"class": "legend lines"}, [_legend_line(x.name, x.style, x.whole_run) for x in shown.lines])


def _legend_line(name: str, style: int, value: str) -> Markup:
    line = element("line", {"class": f"line s{style}", "x1": 0, "x2": 26, "y1": 6, "y2": 6})
    swatch = element("svg", {"viewBox": "0 0 26 12", "width": 26, "height": 12, "aria-hidden": "true"}, line)
    return element("li", {}, swatch, name, element("span", {"class": "aside"}, value))


def _outcome_legend(told: Chronicle) -> Markup:
    seen = {episode.outcome for episode in told.episodes}
    kinds = [(kind, words) for kind, words in OUTCOMES.items() if kind in seen]
    kinds += [("fault", "broken data")] if told.faults else []
    return element("ul", {"class": "legend"}, [_legend_bar(kind, words) for kind, words in kinds])


def _legend_bar(kind: str, words: str) -> Markup:
    box = element("rect", {"class": f"bar {kind}", "x": 1, "y": 1, "width": 24, "height": 10, "rx": 2})
    swatch = element("svg", {"viewBox": "0 0 26 12", "width": 26, "height": 12, "aria-hidden": "true"}, box)
    return element("li", {}, swatch, words)


def _lanes_note(told: Chronicle) -> str:
    span = "A bar runs from where the change is estimated to have begun to the episode’s close; the tick marks its "
    seen = {episode.outcome for episode in told.episodes}
    return " ".join([f"{span}detection.", *(words for outcome, words in MEANINGS.items() if outcome in seen)])
