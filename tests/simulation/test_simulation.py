"""The simulator itself: it repeats itself exactly, finds nothing in sound protocols, and finds every planted bug."""

from __future__ import annotations

import pytest

from services.embedded.simulation.__main__ import main
from services.embedded.simulation.explore import one_deviation, play, seeds, shrink, trimmed
from services.embedded.simulation.tape import SeededTape, Tape
from services.embedded.simulation.toy import scenario
from services.embedded.simulation.wires import Crash
from services.embedded.simulation.world import World
from tests.simulation.mutants import MUTANTS, Mutant

FAULTS = {
    *("crash-before", "crash-after", "lost", "unacknowledged", "delayed", "repeated"),
    *("slow", "paused", "replaced", "rewound", "again", "unaware"),
}


def test_the_fair_run_without_faults_holds_and_comes_to_rest() -> None:
    outcome = play(scenario(), Tape())
    assert not outcome.broken, outcome.report()
    assert not any(line.fault for line in outcome.history.lines)
    assert len(list(outcome.history.messages("totals"))) == 6


def test_no_seed_of_many_breaks_a_sound_protocol() -> None:
    broken = [(seed, outcome.report()) for seed, outcome in seeds(scenario(), 200) if outcome.broken]
    assert not broken, broken[0]


def test_no_single_deviation_breaks_a_sound_protocol() -> None:
    outcomes = list(one_deviation(scenario(inputs=1, steps=30)))
    assert len(outcomes) > 500
    broken = [outcome.report() for outcome in outcomes if outcome.broken]
    assert not broken, broken[0]


def test_a_seed_gives_the_same_history_each_time() -> None:
    for seed in (3, 7, 11):
        first, second = (play(scenario(), SeededTape(seed)).history.digest() for _ in range(2))
        assert first == second


def test_different_seeds_give_different_histories() -> None:
    assert len({play(scenario(), SeededTape(seed)).history.digest() for seed in range(5)}) == 5


def test_the_tape_of_a_seed_replays_it() -> None:
    for seed in (2, 9):
        recorded = play(scenario(), SeededTape(seed))
        assert play(scenario(), Tape(recorded.tape)).history.digest() == recorded.history.digest()


def test_any_list_of_integers_is_a_run() -> None:
    outcome = play(scenario(), Tape([10**6 + 7 * n for n in range(30)]))
    assert not outcome.broken, outcome.report()


def test_every_kind_of_fault_happens() -> None:
    fired = {line.fault for _, outcome in seeds(scenario(), 120) for line in outcome.history.lines}
    assert fired >= FAULTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_caught_by_the_checker_that_should(mutant: Mutant) -> None:
    with mutant.planted():
        verdicts = (outcome.broken for _, outcome in seeds(scenario(), mutant.within))
        assert any(verdict.startswith(mutant.caught_by) for verdict in verdicts)


def test_shrinking_keeps_the_verdict_and_loses_choices() -> None:
    with MUTANTS[0].planted():
        found = next(outcome for _, outcome in seeds(scenario(), 200) if outcome.broken.startswith("exactly"))
        small = shrink(scenario(), found, budget=200)
        again = play(scenario(), Tape(trimmed(small.tape)))
    assert again.broken == small.broken == found.broken
    assert sum(map(bool, small.tape)) <= sum(map(bool, found.tape)) / 2
    assert "tape: " in small.report()


def test_a_crash_passes_every_handler_of_exceptions() -> None:
    assert not issubclass(Crash, Exception)


def test_the_command_reports_success_and_failure(capsys: pytest.CaptureFixture[str]) -> None:
    toy = ["--scenario", "services.embedded.simulation.toy:scenario"]
    assert main([*toy, "--seeds", "3"]) == 0
    assert "3 seeds from 0, nothing broken" in capsys.readouterr().out
    with MUTANTS[0].planted():
        assert main([*toy, "--seeds", "100"]) == 1
        said = capsys.readouterr().out
        tape = said.split("tape: ")[1].split()[0]
        assert main([*toy, "--tape", tape]) == 1
    assert main([*toy, "--tape", tape]) == 0


def test_a_job_that_dies_is_claimed_again() -> None:
    """A claim without completion: the lease ends by append time, another attempt brings the result."""
    attempts = [
        [m.value.split()[2] for m in outcome.history.messages("ledger") if m.value.startswith(b"claimed job-0")]
        for _, outcome in seeds(scenario(), 60)
    ]
    assert any(b"2" in claims for claims in attempts)


def test_a_run_that_cannot_rest_says_why() -> None:
    world = World(scenario(), Tape())
    world.log.coordinator.producer("stranger").begin()
    with pytest.raises(Exception, match=r"transactions left open: .*stranger"):
        _without_timeouts(world).run()


def _without_timeouts(world: World) -> World:
    world.log.coordinator.expire = lambda: None  # type: ignore[method-assign]
    return world
