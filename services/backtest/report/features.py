"""Which features drifted, how much and which way."""

from __future__ import annotations

from services.backtest.report.figures import measured, whole
from services.backtest.report.html import Child, Markup, element
from services.backtest.report.stories import Episode
from services.backtest.report.tables import cell, column_head, row_head, table
from shared.events.drift_detection import FeatureDrift

MOST_FEATURES = 20
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
        for feature in episode.detected.features:
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


def _strongest(sightings: list[Sighting]) -> FeatureDrift:
    return max((feature for _, feature in sightings), key=lambda feature: feature.total_variation)


def _overview_row(name: str, sightings: list[Sighting], importances: dict[str, float]) -> Markup:
    top = _strongest(sightings)
    seen = ", ".join(str(episode.number) for episode, _ in sightings[:8]) + (" …" if len(sightings) > 8 else "")
    weight = [cell(measured(importances[name]) if name in importances else "–")] if importances else []
    return element("tr", {}, row_head(name), cell(seen, kind=""), *_effect_cells(top), weight)


def _effect_cells(feature: FeatureDrift) -> list[Child]:
    arrow, words = DIRECTIONS.get(feature.direction, ("·", feature.direction))
    mark = element("span", {"class": "arrow", "aria-hidden": "true"}, arrow)
    return [
        cell(mark, words, kind="way"),
        cell(_bar(feature.total_variation), kind="meter"),
        cell(measured(feature.psi)),
        cell(measured(feature.ks)),
    ]


def _bar(share: float) -> Markup:
    fill = element("span", {"class": "fill", "style": f"width:{100 * min(max(share, 0.0), 1.0):.1f}%"})
    return element("span", {"class": "gauge"}, element("span", {"class": "rail"}, fill), f"{share:.2f}")


def feature_table(features: tuple[FeatureDrift, ...]) -> list[Markup]:
    """One episode's features in the order of their evidence."""
    ordered = sorted(features, key=lambda feature: (-feature.log_evidence, feature.name))
    rows = [element("tr", {}, row_head(f.name), *_effect_cells(f)) for f in ordered[:MOST_FEATURES]]
    heads = [("feature", ""), ("direction", ""), ("total variation", ""), ("PSI", "figure"), ("KS", "figure")]
    left = len(ordered) - MOST_FEATURES
    note = element("p", {"class": "note"}, f"{whole(left)} further features with less evidence.") if left > 0 else None
    shown = table([column_head(*head) for head in heads], rows, "Drifted features of this episode")
    return [shown, note] if note else [shown]
