"""The six real cores through crashes, zombies, lost and repeated requests: nothing is lost, nothing counts twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.embedded.simulation.explore import one_deviation, play, seeds
from services.embedded.simulation.loop_scenario import one_lane, two_lanes
from services.embedded.simulation.scenario import Scenario
from services.embedded.simulation.tape import SeededTape, Tape
from shared.events.topics import LEDGER
from tests.simulation.loop_mutants import HURRIED, ONE_LANE, TWO_LANES
from tests.simulation.mutants import Mutant

CHUNK = 10
FAIR = {
    "driftloop.training.requested.v1",
    "driftloop.training.completed.v1",
    "driftloop.drift.detected.v1",
    "driftloop.drift.matured.v1",
    "driftloop.training.probed.v1",
    "driftloop.training.evaluated.v1",
    "driftloop.deployment.promoted.v1",
    "driftloop.deployment.verified.v1",
    "driftloop.deployment.episode-closed.v1",
}
"""What happens to a pipeline whose world changes once."""


@pytest.mark.parametrize("scenario", [one_lane, two_lanes])
def test_the_fair_run_is_a_whole_loop(scenario: Callable[[], Scenario]) -> None:
    outcome = play(scenario(), Tape())
    assert not outcome.broken, outcome.report()
    said = {message.headers["ce_type"] for message in outcome.history.messages(LEDGER.name)}
    assert said >= FAIR - (set() if scenario is one_lane else {"driftloop.deployment.verified.v1"})


@pytest.mark.parametrize("first", range(0, 140, CHUNK))
def test_no_seed_breaks_the_loop_of_one_lane(first: int) -> None:
    _holds(one_lane(), first)


@pytest.mark.parametrize("first", range(0, 60, CHUNK))
def test_no_seed_breaks_the_loop_of_two_lanes_with_late_labels(first: int) -> None:
    _holds(two_lanes(), first)


def _holds(scenario: Scenario, first: int) -> None:
    broken = [f"seed {seed}\n{outcome.report()}" for seed, outcome in seeds(scenario, CHUNK, first) if outcome.broken]
    assert not broken, broken[0]


def test_no_single_deviation_breaks_the_way_to_the_first_version() -> None:
    """Every 41st of four thousand."""
    outcomes = list(one_deviation(one_lane(rows=60, change=60, steps=170), every=41))
    assert len(outcomes) > 50
    broken = [outcome.report() for outcome in outcomes if outcome.broken]
    assert not broken, broken[0]


def test_a_seed_gives_the_same_history_each_time() -> None:
    """Measured seconds apart, which only say how long a job took."""
    first, second = (play(one_lane(), SeededTape(3)) for _ in range(2))
    assert [str(line) for line in first.history.lines] == [str(line) for line in second.history.lines]
    assert first.tape == second.tape


@pytest.mark.parametrize("mutant", ONE_LANE, ids=lambda mutant: mutant.name)
def test_a_bug_in_the_loop_is_caught_by_the_checker_that_should(mutant: Mutant) -> None:
    _caught(mutant, one_lane(rows=110, change=60, steps=400))


@pytest.mark.parametrize("mutant", HURRIED, ids=lambda mutant: mutant.name)
def test_a_bug_of_the_beginning_is_caught_by_the_checker_that_should(mutant: Mutant) -> None:
    _caught(mutant, one_lane(rows=60, change=60, steps=250, pace=0))


@pytest.mark.parametrize("mutant", TWO_LANES, ids=lambda mutant: mutant.name)
def test_a_bug_with_late_labels_is_caught_by_the_checker_that_should(mutant: Mutant) -> None:
    _caught(mutant, two_lanes())


def _caught(mutant: Mutant, scenario: Scenario) -> None:
    with mutant.planted():
        verdicts = (outcome.broken for _, outcome in seeds(scenario, mutant.within))
        assert any(verdict.startswith(mutant.caught_by) for verdict in verdicts)
