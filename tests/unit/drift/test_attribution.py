"""Labels can tell of a drift before an epoch is full: which inputs moved is told on its episode all the same."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from services.drift_detection.attribution import attribute, await_features, complete
from services.drift_detection.episodes import explain_away
from services.drift_detection.inputs.verdict import Effects, FeatureEvidence
from services.drift_detection.inputs_watch import end_generation
from services.drift_detection.state import DriftState, OpenEpisode
from shared.domain.pipeline import RetrainingPolicy
from shared.domain.profile import Profile
from shared.events.deployment import CandidatePromoted
from shared.events.drift_detection import DriftAttributed, DriftDetected, FeatureDrift
from shared.events.training import ProbeRequested, TrainingRequested
from tests.unit.embedded.faulty import ROWS, between, life_of, pipeline, sound, swapped
from tests.unit.embedded.lives import Life

SINCE, EPOCH = 520, 100
MOVED = FeatureEvidence("heat", 6.0, Effects(0.8, 0.4, 0.4, 1.0, 0.4, "up"))
SWAPPED = ("columns 'heat' and 'load' look swapped",)


def epoch(first: int) -> Profile:
    return Profile(1, None, first // EPOCH, first, first + EPOCH, EPOCH, EPOCH, (), ())


def alarmed(*features: FeatureEvidence, origin: str = "performance") -> DriftState:
    """After an alarm at which the inputs showed these features."""
    return await_features(DriftState("press", features=features), OpenEpisode("e", origin, True, SINCE, SINCE))


def attributions(*epochs: int, warnings: tuple[str, ...] = ()) -> list[int]:
    """First rows of the epochs that completed the alarm, each of them naming a feature."""
    state, told = replace(alarmed(), features=(MOVED,), warnings=warnings), list[int]()
    for first in epochs:
        state, said = attribute(state, epoch(first), lanes=1)
        told += [first for _ in said]
    return told


@cache
def life_of_a_swap(start: int) -> Life:
    """The answer to the losses takes 40 labels, an epoch 100 rows: it never gets full."""
    return life_of(between(sound(), start, ROWS, swapped("heat", "load")), pipeline(epoch=EPOCH))


@pytest.mark.parametrize("start", [500, 520, 540])
def test_inputs_that_moved_are_named_on_the_episode_of_a_loss_that_alarmed_first(start: int) -> None:
    ledger = life_of_a_swap(start).ledger
    (drift, *_) = [event for event in ledger if isinstance(event, DriftDetected)]
    (told,) = [event for event in ledger if isinstance(event, DriftAttributed)]
    assert (drift.origin, drift.features, drift.warnings) == ("performance", (), ())
    assert told.episode == drift.episode
    assert {feature.name for feature in told.features} == {"heat", "load"}


def test_a_swap_whose_loss_alarms_first_is_warned_of_on_its_episode() -> None:
    (told,) = [event for event in life_of_a_swap(500).ledger if isinstance(event, DriftAttributed)]
    assert told.warnings == SWAPPED


@pytest.mark.parametrize("start", [520, 540])
def test_a_swap_within_an_epoch_is_warned_of_once_an_epoch_lies_behind_it(start: int) -> None:
    """Here the answer waits for two hundred labels."""
    patient = pipeline(epoch=EPOCH).model_copy(update={"retraining": RetrainingPolicy(stages=(1.0,))})
    life = life_of(between(sound(), start, ROWS, swapped("heat", "load")), patient)
    (told,) = [event for event in life.ledger if isinstance(event, DriftAttributed)]
    assert (told.row, told.warnings) == (700, SWAPPED)


def test_an_attribution_asks_for_nothing() -> None:
    life = life_of_a_swap(500)
    (message,) = [m for m in life.messages("ledger") if m.headers["ce_type"] == DriftAttributed.type]
    place = f"ledger/0/{message.offset}"
    caused = [m.headers["ce_type"] for m in life.messages("ledger") if m.headers.get("ce_causationid") == place]
    assert caused == []
    kinds = TrainingRequested | ProbeRequested | CandidatePromoted
    assert any(isinstance(event, kinds) for event in life.ledger)


def test_the_first_epoch_after_the_change_says_it_and_no_other() -> None:
    assert attributions(400, 500, 600, 700) == [600]


def test_an_epoch_that_the_change_falls_into_tells_of_a_swap_that_it_shows() -> None:
    assert attributions(400, 500, 600, warnings=SWAPPED) == [500]


def test_an_epoch_that_names_nothing_leaves_it_to_the_next() -> None:
    state, said = attribute(alarmed(), epoch(600), lanes=1)
    assert said == ()
    assert state == alarmed()


def test_an_alarm_that_named_features_or_came_from_the_inputs_needs_no_more() -> None:
    assert alarmed(MOVED).unattributed is None
    assert alarmed(origin="inputs").unattributed is None


def test_the_event_names_episode_features_and_warnings() -> None:
    state = replace(alarmed(), features=(MOVED,), warnings=SWAPPED, generation=3, row=610, label=600)
    _, said = complete(state)
    feature = FeatureDrift(
        name="heat", log_evidence=6, direction="up", psi=0.8, ks=0.4, js=0.4, wasserstein=1, total_variation=0.4
    )
    assert said == (
        DriftAttributed(
            pipeline="press", episode="e", generation=3, row=610, label=600, features=(feature,), warnings=SWAPPED
        ),
    )


def test_an_alarm_that_is_read_before_the_first_profile_has_no_epoch_to_ask() -> None:
    assert end_generation(alarmed(), pipeline(), read=lambda *_: pytest.fail("there is no baseline yet"))[1] == ()


@pytest.mark.parametrize(("row", "kept"), [(SINCE, False), (SINCE + 1, True)])
def test_a_fault_that_explains_the_alarm_leaves_nothing_to_attribute(row: int, kept: bool) -> None:
    state, _ = explain_away(alarmed(), row, "a data fault explains it")
    assert (state.unattributed is not None) == kept
