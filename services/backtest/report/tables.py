"""Tables: cost and regret per policy, drifted features, the confusion matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.backtest.report.curves import Grid, merged
from services.backtest.report.figures import measured, percent, seconds, sentence, whole
from services.backtest.report.html import Child, Markup, element
from services.backtest.report.measures import Measure, measure_of
from services.backtest.report.policies import best, in_display_order, main_policy, phrase, trivial
from services.backtest.result import BacktestResult, PolicyResult
from shared.domain.quality import Quality, classification_metrics, regression_metrics

MOST_CLASSES = 12
SLICES = 10


@dataclass(frozen=True, slots=True)
class Column:
    """A number per policy. ``sign`` +1: more is better, -1: less is, 0: neither."""

    head: str
    value: Callable[[PolicyResult], float]
    text: Callable[[float], str]
    sign: int = 0


def table(heads: Sequence[Child], rows: Sequence[Child], caption: str = "", kind: str = "") -> Markup:
    """A table that scrolls by itself where the screen is too narrow for it."""
    head = element("thead", {}, element("tr", {}, heads))
    title = element("caption", {}, caption) if caption else None
    inner = element("table", {"class": kind or None}, title, head, element("tbody", {}, rows))
    return element("div", {"class": "scroll", "tabindex": 0, "role": "region", "aria-label": caption or "table"}, inner)


def column_head(text: str, kind: str = "figure") -> Markup:
    return element("th", {"scope": "col", "class": kind or None}, text)


def row_head(*children: Child) -> Markup:
    return element("th", {"scope": "row"}, *children)


def cell(*children: Child, kind: str = "figure") -> Markup:
    return element("td", {"class": kind or None}, *children)


def cost_table(result: BacktestResult) -> Markup:
    """Every policy's quality, work and regret; the best of a column is bold and marked with a star."""
    columns, policies = _columns(result), in_display_order(result)
    winners = {id(column): _winners(column, policies) for column in columns}
    rows = [_policy_row(policy, columns, winners, main=i == 0) for i, policy in enumerate(policies)]
    heads = [column_head("policy", ""), *(column_head(column.head) for column in columns)]
    return table(heads, rows, "Quality and cost per policy", "cost")


def _columns(result: BacktestResult) -> list[Column]:
    measure = measure_of(result.task)
    return [
        *_quality_columns(measure),
        _regret_column(result, measure),
        Column("trainings", lambda p: p.retrainings, whole),
        Column("probes", lambda p: p.probes, whole),
        Column("promoted", lambda p: p.promotions, whole),
        Column("refused", lambda p: p.rejections, whole),
        Column("rolled back", lambda p: p.rollbacks, whole),
        Column("alarms", lambda p: len(p.alarms), whole),
        Column("training time", lambda p: p.train_seconds, seconds),
        Column("whole run", lambda p: p.wall_seconds, seconds),
    ]


def _quality_columns(measure: Measure) -> list[Column]:
    if not measure.higher_is_better:
        return [
            Column("MAE", lambda p: measure.of(p.quality), measured, -1),
            Column("RMSE", lambda p: regression_metrics(p.quality).get("rmse", 0.0), measured, -1),
        ]
    scores = {"kappa": "kappa", "F1": "f1_macro"}
    return [
        Column("accuracy", lambda p: measure.of(p.quality), percent, 1),
        *(Column(head, _metric(name), lambda value: f"{value:.3f}", 1) for head, name in scores.items()),
    ]


def _metric(name: str) -> Callable[[PolicyResult], float]:
    return lambda policy: classification_metrics(policy.quality).get(name, 0.0)


def _regret_column(result: BacktestResult, measure: Measure) -> Column:
    top = best(list(result.policies), measure)
    found = top.quality if top else Quality()
    text = (lambda value: f"{value:.1f}") if measure.higher_is_better else measured
    return Column("regret", lambda p: measure.regret(p.quality, found), text, -1)


def _winners(column: Column, policies: list[PolicyResult]) -> frozenset[str]:
    """Names of the policies whose written value is the column's best; none where all are alike."""
    judged = {p.name: column.value(p) for p in policies if p.quality.n}
    if not column.sign or len({column.text(value) for value in judged.values()}) < 2:
        return frozenset()
    top = column.text(max(judged.values(), key=lambda value: column.sign * value))
    return frozenset(name for name, value in judged.items() if column.text(value) == top)


def _policy_row(
    policy: PolicyResult, columns: list[Column], winners: dict[int, frozenset[str]], *, main: bool
) -> Markup:
    aside = element("span", {"class": "aside"}, phrase(policy.name) if not trivial(policy) else "no model")
    cells = [_policy_cell(policy, column, policy.name in winners[id(column)]) for column in columns]
    return element("tr", {"class": "main" if main else None}, row_head(policy.name, " ", aside), cells)


def _policy_cell(policy: PolicyResult, column: Column, wins: bool) -> Markup:
    if column.sign and not policy.quality.n:
        return cell("–")
    text = column.text(column.value(policy))
    if not wins:
        return cell(text)
    star = element("span", {"class": "star", "title": "best of this column"}, "★")
    return cell(star, element("strong", {}, text))


def slices_table(result: BacktestResult) -> Markup:
    """The curves in a few slices, for readers who want or need figures instead of lines."""
    measure, policies = measure_of(result.task), in_display_order(result)
    on = Grid(result.initial, result.records, SLICES)
    curves = [merged(policy.curve, on) for policy in policies]
    heads = [column_head("records", ""), *(column_head(policy.name) for policy in policies)]
    rows = [_slice_row(on, window, curves, measure) for window in range(SLICES)]
    return table(heads, rows, f"{sentence(measure.noun)} per policy and slice of the stream")


def _slice_row(on: Grid, window: int, curves: Sequence[Mapping[int, Quality]], measure: Measure) -> Markup:
    held = [curve.get(window) for curve in curves]
    values = [cell(measure.text(measure.of(quality)) if quality else "–") for quality in held]
    return element("tr", {}, row_head(f"{whole(on.start(window) + 1)} – {whole(on.end(window))}"), values)


def confusion_table(quality: Quality) -> list[Markup]:
    """Rows are true classes, columns predictions; shading is the share of the row."""
    sizes: Counter[str] = Counter()
    for true, predicted, count in quality.confusion:
        sizes[true] += count
        sizes[predicted] += 0
    classes = sorted(sorted(sizes), key=lambda name: -sizes[name])[:MOST_CLASSES]
    cells = {(true, predicted): count for true, predicted, count in quality.confusion}
    rows = [_confusion_row(true, classes, cells, sizes[true]) for true in sorted(classes)]
    heads = [
        column_head("true \\ predicted", ""),
        *(column_head(name) for name in sorted(classes)),
        column_head("rows"),
    ]
    shown = table(heads, rows, "Confusion matrix: share of each true class, with counts", "heat")
    return [shown, *_rest_of_classes(len(sizes) - len(classes), quality, classes)]


def _confusion_row(true: str, classes: list[str], cells: dict[tuple[str, str], int], size: int) -> Markup:
    shaded = [_heat(cells.get((true, said), 0), size, hit=true == said) for said in sorted(classes)]
    return element("tr", {}, row_head(true), shaded, cell(whole(size)))


def _heat(count: int, size: int, *, hit: bool) -> Markup:
    share = count / size if size else 0.0
    look = {"class": "hit" if hit else "miss", "style": f"--share:{100 * share:.0f}%"}
    return element("td", look, percent(share) if count else "0", element("span", {"class": "aside"}, whole(count)))


def _rest_of_classes(left_out: int, quality: Quality, classes: list[str]) -> list[Markup]:
    if not left_out:
        return []
    inside = frozenset(classes)
    rest = sum(count for true, _, count in quality.confusion if true not in inside)
    held = f"{whole(left_out)} further ones hold {percent(rest / quality.n)} of the labelled records."
    return [element("p", {"class": "note"}, f"The {MOST_CLASSES} commonest classes are shown. {held}")]


def error_summary(result: BacktestResult) -> Markup:
    """Regression: how far off the main policy was, in the label's unit."""
    quality = main_policy(result).quality
    found = regression_metrics(quality)
    facts = [
        ("labelled records", whole(quality.n)),
        ("mean absolute error", measured(found.get("mae", 0.0))),
        ("root mean squared error", measured(found.get("rmse", 0.0))),
        ("bounded loss per record (0 to 1)", measured(quality.mean_loss)),
    ]
    rows = [element("tr", {}, row_head(name), cell(value)) for name, value in facts]
    heads = [column_head("measure", ""), column_head("value, in the label’s unit")]
    return table(heads, rows, "Errors of the main policy")
