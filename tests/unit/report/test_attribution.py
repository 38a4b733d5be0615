"""A drift that the losses told of first is told with the inputs that moved, as soon as they are known."""

from __future__ import annotations

from services.backtest.report.episodes import episode_list
from services.backtest.report.features import features_overview
from services.backtest.report.html import joined
from services.backtest.report.stories import Chronicle, chronicle
from services.cli.words import Narrator, sentence
from shared.events.base import Event
from shared.events.drift_detection import DriftAttributed, DriftDetected
from tests.unit.report.ledger import PIPELINE, episode, feature

RECORDS = 4000
SWAP = "columns 'wing_beat' and 'amplitude' look swapped"
BY_LOSS = episode(1, 2000, 600, ("wing_beat", "amplitude"))


def found() -> DriftDetected:
    return next(event for event in BY_LOSS if isinstance(event, DriftDetected))


def attributed() -> DriftAttributed:
    moved = (feature("wing_beat", 0), feature("amplitude", 1))
    return DriftAttributed(
        pipeline=PIPELINE, episode=found().episode, generation=2, row=2100, label=2100, features=moved, warnings=(SWAP,)
    )


def told(*more: Event) -> Chronicle:
    return chronicle([*BY_LOSS[:2], *more, *BY_LOSS[2:]], RECORDS)


def test_the_alarm_itself_named_no_feature() -> None:
    assert found().origin == "performance"
    assert "No input feature was named" in joined(features_overview(told().episodes, {}))


def test_the_episode_has_the_features_and_warnings_that_came_later() -> None:
    (only,) = told(attributed()).episodes
    assert [moved.name for moved in only.features] == ["wing_beat", "amplitude"]
    assert only.warnings == (SWAP,)


def test_the_report_names_the_features_and_warns_of_the_swap() -> None:
    overview = joined(features_overview(told(attributed()).episodes, {}))
    assert "No input feature" not in overview
    assert "wing_beat" in overview
    story = joined(episode_list(told(attributed())))
    assert SWAP.replace("'", "&#x27;") in story
    assert "Drifted features of this episode" in story


def test_features_that_the_alarm_named_are_the_episodes() -> None:
    by_inputs = episode(2, 2000, 600, ("wing_beat",))
    (only,) = chronicle(by_inputs, RECORDS).episodes
    assert only.features == only.detected.features
    assert only.warnings == only.detected.warnings


def test_the_timeline_says_which_inputs_moved() -> None:
    words = "the inputs that moved: wing_beat (higher values) and amplitude (lower values)"
    assert sentence(attributed()) == f"{words}; {SWAP}"
    assert [line.row for line in Narrator().tell([found(), attributed()]) if not line.routine] == [2000, 2100]
