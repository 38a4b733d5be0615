"""An episode: suspected, then cleared or detected; detected, then matured stage by stage, and gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.drift_detection.episodes import CLEAR, SUSPECT, Evidence, mature, weigh
from services.drift_detection.state import DriftState
from shared.events.base import Event
from shared.events.drift_detection import DriftCleared, DriftDetected, DriftMatured, DriftSuspected, Origin
from tests.unit.prediction.bench import pipeline

THRESHOLD = 10.0
PIPELINE = pipeline(window=100, retraining={"stages": (0.25, 0.5, 1.0)})


def evidence(value: float, origin: Origin = "performance", since: int = 0, place: int = 0) -> Evidence:
    return Evidence(origin, "losses", value >= THRESHOLD, value, THRESHOLD, since, since, place=("v", place))


def through(*values: float) -> tuple[DriftState, list[Event]]:
    state, said = DriftState("shop"), list[Event]()
    for place, value in enumerate(values):
        state = DriftState("shop", row=place, label=place, episodes=state.episodes)
        state, events = weigh(state, evidence(value, place=place))
        said += events
    return state, said


def kinds(events: list[Event] | tuple[Event, ...]) -> list[type[Event]]:
    return [type(event) for event in events]


def test_suspicion_that_fades_is_cleared() -> None:
    state, said = through(1, THRESHOLD * SUSPECT, THRESHOLD * CLEAR, THRESHOLD * CLEAR - 1, 0)
    assert kinds(said) == [DriftSuspected, DriftCleared]
    assert state.episodes == ()
    assert said[0].episode == said[1].episode  # type: ignore[attr-defined]


def test_suspicion_that_hardens_is_detected_under_the_same_id_once() -> None:
    state, said = through(THRESHOLD * SUSPECT, THRESHOLD, THRESHOLD + 5, 0)
    assert kinds(said) == [DriftSuspected, DriftDetected]
    assert len({event.episode for event in said}) == 1  # type: ignore[attr-defined]
    assert state.episodes[0].detected


def test_a_sudden_alarm_is_suspected_and_detected_at_once() -> None:
    assert kinds(through(THRESHOLD)[1]) == [DriftSuspected, DriftDetected]


def test_the_same_evidence_gives_the_same_ids_and_a_later_episode_another() -> None:
    values = (6.0, 1.0, 6.0, 12.0)
    ids = [event.episode for event in through(*values)[1]]  # type: ignore[attr-defined]
    assert ids == [event.episode for event in through(*values)[1]]  # type: ignore[attr-defined]
    assert len(set(ids)) == 2


@given(st.lists(st.tuples(st.floats(0, 15), st.sampled_from(["inputs", "performance"]))))
def test_never_two_are_open_of_one_origin(told: list[tuple[float, Origin]]) -> None:
    state = DriftState("shop")
    for value, origin in told:
        state, _ = weigh(state, evidence(value, origin))
        origins = [episode.origin for episode in state.episodes]
        assert len(set(origins)) == len(origins)


def stages_at(*labels: int) -> list[tuple[int, bool]]:
    state, said = weigh(DriftState("shop"), evidence(THRESHOLD, since=100))[0], list[Event]()
    for label in labels:
        state, events = mature(DriftState("shop", label=label, episodes=state.episodes), PIPELINE)
        said += events
    return [(event.stage, event.final) for event in said if isinstance(event, DriftMatured)]


def test_each_stage_matures_once_when_its_labels_are_there() -> None:
    assert stages_at(124, 125, 130, 150, 199, 200, 300) == [(0, False), (1, False), (2, True)]


def test_stages_that_come_due_together_are_the_latest_of_them() -> None:
    assert stages_at(160, 250) == [(1, False), (2, True)]
    assert stages_at(500, 600) == [(2, True)]


def test_a_suspicion_does_not_mature() -> None:
    state, _ = weigh(DriftState("shop"), evidence(THRESHOLD * SUSPECT))
    assert mature(DriftState("shop", label=10**6, episodes=state.episodes), PIPELINE)[1] == ()


def test_when_the_loss_drifts_too_its_episode_answers_for_both() -> None:
    state, _ = weigh(DriftState("shop"), evidence(THRESHOLD, "inputs"))
    state, said = weigh(state, evidence(THRESHOLD))
    assert kinds(said) == [DriftSuspected, DriftCleared, DriftDetected]
    assert [episode.origin for episode in state.episodes] == ["performance"]
    assert weigh(state, evidence(THRESHOLD, "inputs")) == (state, ())


def test_an_episodes_id_does_not_depend_on_how_far_the_other_topic_was_read() -> None:
    here, there = (weigh(DriftState("shop", row=row, generation=g), evidence(12.0))[1] for row, g in ((0, 1), (90, 2)))
    assert here[0].episode == there[0].episode  # type: ignore[attr-defined]
