"""The page: sections in reading order, style and script inside, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from services.backtest.report.episodes import episode_list
from services.backtest.report.features import features_overview, importance_list
from services.backtest.report.figures import counted, whole
from services.backtest.report.headline import headline, support, tiles
from services.backtest.report.html import Child, Markup, element
from services.backtest.report.measures import measure_of
from services.backtest.report.others import fault_list, other_trainings
from services.backtest.report.policies import best, main_policy
from services.backtest.report.stories import Chronicle, chronicle
from services.backtest.report.tables import confusion_table, cost_table, error_summary
from services.backtest.report.timeline import timeline
from services.backtest.result import BacktestResult
from shared.events.training import TrainingCompleted

FORMAT = 1
"""Version of the report's format; it is printed on the page."""


def render(result: BacktestResult) -> str:
    """The report as one HTML page that needs no network. ValueError if the result holds no policy."""
    if not result.policies:
        raise ValueError(f"the backtest of {result.data!r} has no policies: run it with at least one, such as 'drift'")
    told = chronicle(main_policy(result).ledger, result.records)
    body = element("body", {}, _patterns(), element("main", {}, _sections(result, told)), _script_tag())
    return "<!doctype html>\n" + element("html", {"lang": "en"}, _head(result), body) + "\n"


def _head(result: BacktestResult) -> Markup:
    digest = base64.b64encode(hashlib.sha256(_asset("script.js").encode()).digest()).decode()
    # Only this very script may run and nothing may be fetched, even if some text slipped through the escaping.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return element(
        "head",
        {},
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        element("title", {}, f"Driftloop backtest: {result.data}"),
        element("style", {}, Markup(_asset("style.css"))),
    )


def _asset(name: str) -> str:
    return (files("services.backtest.report") / name).read_text("utf-8")


def _script_tag() -> Markup:
    return element("script", {}, Markup(_asset("script.js")))


def _patterns() -> Markup:
    """Hatchings that tell bars apart without colour; every chart refers to them."""
    look = {"patternUnits": "userSpaceOnUse", "width": 6, "height": 6}
    stripes = [("hatch-rolled-back", "rotate(45)", "M3 0V6"), ("hatch-fault", "rotate(-45)", "M2 0V6M5 0V6")]
    made = [
        element("pattern", {"id": name, "patternTransform": turn} | look, element("path", {"class": name, "d": path}))
        for name, turn, path in stripes
    ]
    return element(
        "svg", {"class": "patterns", "aria-hidden": "true", "width": 0, "height": 0}, element("defs", {}, made)
    )


def _sections(result: BacktestResult, told: Chronicle) -> list[Markup]:
    return [
        _opening(result, told),
        timeline(result, told),
        _section("Which features drifted", *_features(result, told)),
        _section("What each drift led to", *episode_list(told), *other_trainings(told), *fault_list(told)),
        _costs(result),
        _mistakes(result),
        _settings(result),
    ]


def _section(title: str, *children: Child) -> Markup:
    return element("section", {}, element("h2", {}, title), *children)


def _opening(result: BacktestResult, told: Chronicle) -> Markup:
    facts = f"{result.data} · {counted(result.records, 'record')}"
    kicker = element("p", {"class": "kicker"}, "Driftloop backtest", element("span", {}, facts))
    cards = [
        element(
            "div", {"class": "tile"}, element("dt", {}, what), element("dd", {}, value, element("small", {}, aside))
        )
        for value, what, aside in tiles(result, told)
    ]
    second = element("p", {"class": "support"}, " ".join(support(result)))
    return element(
        "header", {}, kicker, element("h1", {}, headline(result)), second, element("dl", {"class": "tiles"}, cards)
    )


def _features(result: BacktestResult, told: Chronicle) -> list[Markup]:
    return [*features_overview(told.episodes, result.importances), *importance_list(result.importances)]


def _costs(result: BacktestResult) -> Markup:
    measure = measure_of(result.task)
    top = best(list(result.policies), measure)
    regret = f"Regret is {measure.regret_unit} against the best policy run ({top.name}). " if top else ""
    terms = "Trainings do not count the first model; training time does, and holds the probes (throw-away fits)."
    note = f"{regret}{terms} ★ marks the best quality; leaving things alone is always cheapest."
    return _section("What it cost", cost_table(result), element("p", {"class": "note"}, note))


def _mistakes(result: BacktestResult) -> Markup:
    quality = main_policy(result).quality
    if not quality.n:
        return _section("Where the model is wrong", element("p", {"class": "note"}, "No labelled records."))
    if result.task == "regression":
        return _section("How far off the model is", error_summary(result))
    return _section("Where the model is wrong", *confusion_table(quality))


def _settings(result: BacktestResult) -> Markup:
    facts = [
        ("data", result.data),
        ("records", whole(result.records)),
        ("initial records", whole(result.initial)),
        ("label delay", counted(result.label_delay, "record")),
        ("seed", str(result.seed)),
        ("task", result.task),
        *([("block", counted(result.block, "record"))] if result.block else []),
        ("report format", str(FORMAT)),
        *sorted(_environment(result).items()),
    ]
    listing = [element("div", {}, element("dt", {}, name), element("dd", {}, value)) for name, value in facts]
    file = element("details", {}, element("summary", {}, "Pipeline file (YAML)"), element("pre", {}, result.settings))
    return _section("Settings and how to reproduce", element("dl", {"class": "facts"}, listing), file, _again(result))


def _environment(result: BacktestResult) -> dict[str, str]:
    """Versions that the last training was made with."""
    trainings = [event for event in main_policy(result).ledger if isinstance(event, TrainingCompleted)]
    return trainings[-1].environment if trainings else {}


def _again(result: BacktestResult) -> list[Markup]:
    words = "The same data, pipeline file, initial rows, label delay and seed give the same decisions and the same ids"
    text = element("p", {}, f"{words}; only the measured times differ.")
    return [text, element("pre", {}, result.command)] if result.command else [text]
