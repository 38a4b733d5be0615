"""Which features drifted, how much and which way."""

from __future__ import annotations

from services.backtest.report.figures import counted, measured, whole
from services.backtest.report.html import Child, Markup, element
from services.backtest.report.stories import Episode
from services.backtest.report.tables import cell, column_head, row_head, table
from shared.events.drift_detection import FeatureDrift

MOST_FEATURES, MOST_IMPORTANCES = 20, 12
LEANING = (
    "How many more errors (regression: bounded loss) per 1,000 rows the model makes when one feature’s values are "
    "shuffled among its newest training rows: what it uses, which need not be what causes the label. Of two features "
    "that say the same, both can look unimportant."
)
GLOSSARY = (
    "Each feature’s strongest sighting against the rows the model was trained on. Total variation: the share of rows "
    "that would have to change bins to undo the drift (0 to 1). PSI: population stability index. KS: the largest gap "
    "between the two distribution functions."
)
DIRECTIONS = {
    "up": ("↑", "higher values"),
    "down": ("↓", "lower values"),
    "shape": ("↔", "another shape"),
    "missing": ("∅", "more missing"),
    "unseen": ("✳", "unseen values"),
    "none": ("·", "no clear way"),
}
Sighting = tuple[Episode, FeatureDrift]


def features_overview(episodes: tuple[Episode, ...], importances: dict[str, float]) -> list[Markup]:
    """One row per feature over all episodes, the largest effect first."""
    sightings: dict[str, list[Sighting]] = {}
    for episode in episodes:
        for feature in episode.features:
            sightings.setdefault(feature.name, []).append((episode, feature))
    if not sightings:
        return [element("p", {"class": "note"}, "No input feature was named by an alarm.")]
    order = sorted(sightings, key=lambda name: (-_strongest(sightings[name]).total_variation, name))
    rows = [_overview_row(name, sightings[name], importances) for name in order[:MOST_FEATURES]]
    heads = [
        "feature",
        "episodes",
        "direction",
        "total variation",
        "PSI",
        "KS",
        *(["importance"] if importances else []),
    ]
    plain = {"feature", "episodes", "direction", "total variation"}
    shown = table([column_head(h, "" if h in plain else "figure") for h in heads], rows, "Drifted features")
    left = len(order) - MOST_FEATURES
    rest = f" {whole(left)} further features moved less." if left > 0 else ""
    return [shown, element("p", {"class": "note"}, GLOSSARY, rest)]


def importance_list(importances: dict[str, float]) -> list[Markup]:
    """What the last champion leans on, as bars; empty where nothing is known or it leans on nothing."""
    ranked = sorted(importances.items(), key=lambda item: (-item[1], item[0]))
    shown = [(name, rise) for name, rise in ranked[:MOST_IMPORTANCES] if rise > 0]
    if not shown:
        return []
    top = shown[0][1]
    rows = [
        element("tr", {}, row_head(name), cell(_bar(rise / top, measured(1000 * rise)), kind="meter"))
        for name, rise in shown
    ]
    heads = [column_head("feature", ""), column_head("more loss per 1,000 rows", "")]
    left = len(importances) - len(shown)
    rest = f" {counted(left, 'further feature')} added less, or nothing." if left else ""
    return [
        element("h3", {}, "What the last champion leans on"),
        table(heads, rows, "Permutation importances of the last champion", "tight"),
        element("p", {"class": "note"}, LEANING, rest),
    ]


def _strongest(sightings: list[Sighting]) -> FeatureDrift:
    return max((feature for _, feature in sightings), key=lambda feature: feature.total_variation)


def _overview_row(name: str, sightings: list[Sighting], importances: dict[str, float]) -> Markup:
    top = _strongest(sightings)
    seen = ", ".join(str(episode.number) for episode, _ in sightings[:8]) + (" …" if len(sightings) > 8 else "")
    weight = [cell(measured(1000 * importances[name]) if name in importances else "–")] if importances else []
    return element("tr", {}, row_head(name), cell(seen, kind=""), *_effect_cells(top), weight)


def _effect_cells(feature: FeatureDrift) -> list[Child]:
    arrow, words = DIRECTIONS.get(feature.direction, ("·", feature.direction))
    mark = element("span", {"class": "arrow", "aria-hidden": "true"}, arrow)
    return [
        cell(mark, words, kind="way"),
        cell(_bar(feature.total_variation, f"{feature.total_variation:.2f}"), kind="meter"),
        cell(measured(feature.psi)),
        cell(measured(feature.ks)),
    ]


def _bar(share: float, text: str) -> Markup:
    fill = element("span", {"class": "fill", "style": f"width:{100 * min(max(share, 0.0), 1.0):.1f}%"})
    return element("span", {"class": "gauge"}, element("span", {"class": "rail"}, fill), text)


def feature_table(features: tuple[FeatureDrift, ...]) -> list[Markup]:
    """One episode's features in the order of their evidence."""
    ordered = sorted(features, key=lambda feature: (-feature.log_evidence, feature.name))
    rows = [element("tr", {}, row_head(f.name), *_effect_cells(f)) for f in ordered[:MOST_FEATURES]]
    heads = [("feature", ""), ("direction", ""), ("total variation", ""), ("PSI", "figure"), ("KS", "figure")]
    left = len(ordered) - MOST_FEATURES
    note = element("p", {"class": "note"}, f"{whole(left)} further features with less evidence.") if left > 0 else None
    shown = table([column_head(*head) for head in heads], rows, "Drifted features of this episode")
    return [shown, note] if note else [shown]
