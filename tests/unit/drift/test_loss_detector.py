"""The sequential test on losses: quiet when nothing happens, soon awake when something does."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from services.drift_detection.performance.detector import LossState, begin, update
from shared.domain.dispersion import Dispersion
from shared.domain.quality import MILLION, Quality

STEP = 25
SETTLE = 500


def watch(
    losses: NDArray[np.float64], labels_per_alarm: float, *, state: LossState | None = None, limit: float = 1.0,
    tolerance: float = 0.02,
) -> tuple[int | None, LossState]:  # fmt: skip
    """(labels until the alarm, the state then)."""
    state, dispersion = state or begin("v"), Dispersion()
    for start in range(0, len(losses), STEP):
        part = losses[start : start + STEP]
        step = Quality(len(part), round(part.sum() * MILLION))
        state, dispersion = update(state, dispersion, step, start + len(part), SETTLE, limit, tolerance)
        if state.bound is not None and state.evidence >= math.log(labels_per_alarm):
            return start + len(part), state
    return None, state


def bernoulli(seed: int, *parts: tuple[float, int]) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    return np.concatenate([(random.random(n) < p).astype(float) for p, n in parts])


def test_false_alarms_are_rarer_than_promised() -> None:
    promised, labels, runs = 500, 2000, 150
    alarms = sum(watch(bernoulli(seed, (0.2, SETTLE + labels)), promised)[0] is not None for seed in range(runs))
    assert alarms <= runs * labels / promised
    assert alarms / runs < 0.5


def test_a_rise_from_a_fifth_to_a_third_is_found_within_a_few_hundred_labels() -> None:
    delays, places = [], []
    for seed in range(20):
        alarm, state = watch(bernoulli(seed, (0.2, 2000), (0.35, 2000)), 10_000)
        assert alarm is not None
        delays.append(alarm - 2000)
        places.append(state.since - 2000)
    assert all(delay > 0 for delay in delays)
    assert np.median(delays) < 400
    assert abs(np.median(places)) <= 100


@pytest.mark.parametrize("after", [0.2, 0.1, 0.0])
def test_a_loss_that_falls_or_stays_alarms_nobody(after: float) -> None:
    assert all(watch(bernoulli(seed, (0.2, 1000), (after, 3000)), 10_000)[0] is None for seed in range(10))


def test_a_rise_within_the_tolerance_alarms_nobody() -> None:
    alarms = [watch(bernoulli(seed, (0.2, 1000), (0.24, 2000)), 10_000, tolerance=0.1)[0] for seed in range(10)]
    assert alarms == [None] * 10


def test_an_inherited_bound_watches_from_the_first_label() -> None:
    losses = bernoulli(1, (0.5, SETTLE - STEP))
    assert watch(losses, 10_000)[0] is None
    alarm, _ = watch(losses, 10_000, state=begin("v", 0.2))
    assert alarm is not None
    assert alarm < 200


def test_the_tighter_of_inherited_and_own_bound_stays() -> None:
    calm = bernoulli(2, (0.1, SETTLE))
    assert watch(calm, math.inf, state=begin("v", 0.2))[1].bound == pytest.approx(0.12, abs=0.03)
    assert watch(calm, math.inf, state=begin("v", 0.05))[1].bound == 0.05


def test_an_objective_is_held_whatever_the_baseline() -> None:
    losses = bernoulli(3, (0.4, 2000))
    assert watch(losses, 10_000)[0] is None
    assert watch(losses, 10_000, limit=0.3)[0] is not None
    assert watch(bernoulli(3, (0.2, 2000)), 10_000, limit=0.3)[0] is None


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_an_objective_at_either_end_is_no_error(limit: float) -> None:
    watch(bernoulli(4, (0.5, 1000)), 10_000, limit=limit)
    watch(np.ones(1000), 10_000, limit=limit)
    watch(np.zeros(1000), 10_000, limit=limit)


def test_fractional_losses_are_watched_too() -> None:
    random = np.random.default_rng(5)
    calm, worse = random.beta(2, 8, 2000), random.beta(4, 6, 2000)
    alarm, state = watch(np.concatenate([calm, worse]), 10_000)
    assert alarm is not None
    assert 2000 < alarm < 2600
    assert watch(random.beta(2, 8, 4000), 10_000)[0] is None
    assert state.since == pytest.approx(2000, abs=150)


def test_a_step_without_rows_of_the_version_changes_nothing() -> None:
    _, state = watch(bernoulli(6, (0.2, 1000)), math.inf)
    assert update(state, Dispersion(), Quality(), 1000, SETTLE, 1.0, 0.02) == (state, Dispersion())


def test_losses_in_runs_are_discounted() -> None:
    """Whole steps go wrong together: a test that took each row for independent would alarm nearly always."""
    runs, alone = 0, 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        steps = np.repeat(random.choice([0.1, 0.7], 120), STEP)
        losses = (random.random(len(steps)) < steps).astype(float)
        settled, state = watch(losses[:SETTLE], math.inf)
        assert settled is None
        runs += watch(losses, 10_000)[0] is not None
        alone += watch(losses[SETTLE:], 10_000, state=replace(state, settled=True))[0] is not None
    assert runs <= 2
    assert alone >= 10
