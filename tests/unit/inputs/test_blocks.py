from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
from scipy import stats

from services.drift_detection.inputs import blocks
from services.drift_detection.inputs.detector import begin, unit_of, update
from services.drift_detection.inputs.verdict import InputVerdict
from shared.domain.pipeline import InputDriftPolicy
from shared.runtime.codec import decode, encode
from tests.unit.inputs.slices import baseline, epochs, load, shuffled

POLICY = InputDriftPolicy(unit="blocks", epoch=50)


def runs(count: int, seed: int, shift_from: int | None = None) -> pa.Table:
    """Blocks of 50 rows that each scatter around a level of their own: exchangeable blocks, never rows."""
    random = np.random.default_rng(seed)
    levels = random.normal(scale=0.5, size=count)
    if shift_from is not None:
        levels[shift_from:] += 3
    return pa.table({"x": np.repeat(levels, 50) + random.normal(size=50 * count)})


def verdicts(table: pa.Table, training: int, policy: InputDriftPolicy, stream: str = "test") -> Iterator[InputVerdict]:
    """What the detector says block by block, after a baseline of the first ``training`` rows."""
    base = baseline(table.slice(0, training))
    state = begin(stream, policy, base)
    for block in epochs(table.slice(training), base, policy.epoch):
        state, verdict = update(state, block, policy, base)
        yield verdict


def run(table: pa.Table, stream: str = "test", policy: InputDriftPolicy = POLICY) -> list[InputVerdict]:
    return list(verdicts(table, 500, policy, stream))


def first_alarm(table: pa.Table, training: int, rows: int) -> tuple[int, InputVerdict] | None:
    found = enumerate(verdicts(table, training, InputDriftPolicy(epoch=rows), "elec2"))
    return next(((number, verdict) for number, verdict in found if verdict.alarm), None)


def test_ranks_of_exchangeable_blocks_are_uniform():
    random = np.random.default_rng(0)
    p = []
    for _ in range(400):
        bag = random.multinomial(80, random.dirichlet(np.ones(6), size=(25, 2)))
        p.append(blocks.rank_p_value(blocks.strangeness(bag).sum(axis=1), random.random()))
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_tied_blocks_are_ranked_by_lot():
    assert blocks.rank_p_value(np.zeros(10), 0.37) == 0.37


def test_it_says_that_it_needs_twenty_blocks():
    ready = [verdict.ready for verdict in run(runs(40, 0))]
    assert ready == [False] * blocks.WARM_UP + [True] * (30 - blocks.WARM_UP)


def test_blocks_with_levels_of_their_own_do_not_alarm_but_a_shift_of_the_levels_does():
    calm = [run(runs(90, seed)) for seed in range(5)]
    assert not any(verdict.alarm for found in calm for verdict in found)
    moved = run(runs(90, 1, shift_from=60))
    first = next(number for number, verdict in enumerate(moved) if verdict.alarm)
    assert 50 <= first < 58
    assert moved[first].change_epoch in (49, 50, 51)
    assert moved[first].features[0].name == "x"
    assert moved[first].features[0].effects.direction == "up"


def test_the_promise_holds_for_exchangeable_blocks():
    """A = 30 and n = 30 ranked blocks allow any share; A = 120 allows a quarter of the streams."""
    policy = InputDriftPolicy(unit="blocks", epoch=50, false_alarm_epochs=120, minimum_effect=0)
    alarmed = sum(
        any(verdict.alarm for verdict in run(runs(60, seed), policy=policy, stream=str(seed))) for seed in range(100)
    )
    assert alarmed <= 25


def test_memory_is_bounded_and_forgetting_draws_lots():
    table = runs(12, 0)
    base = baseline(table)
    state = begin("test", POLICY, base)
    assert isinstance(state, blocks.BlockState)
    block = next(epochs(table, base, 50))
    for number in range(blocks.KEPT + 5):
        state, _ = blocks.update_blocks(state, replace(block, epoch=number), POLICY, base)
    assert len(state.blocks) == blocks.KEPT
    assert decode(blocks.BlockState, encode(state)) == state
    assert state.seen == blocks.KEPT + 5


def test_weeks_of_the_electricity_market_alarm_after_the_published_change_and_hardly_otherwise():
    """Vicprice, vicdemand and transfer are constant before row 17,424."""
    table, training, cut, alarms = load("elec2"), 2016, 0, []
    while (found := first_alarm(table.slice(cut), training, 336)) is not None:
        number, verdict = found
        cut += 336 * (number + 1)
        alarms.append((cut + training, {feature.name for feature in verdict.features}))
    assert len(alarms) <= 3
    row, named = alarms[0]
    assert 17_424 < row <= 17_424 + 4 * 336
    assert named >= {"vicprice", "vicdemand", "transfer"}


def test_the_self_check_tells_autocorrelated_streams_from_exchangeable_ones():
    auto = InputDriftPolicy()
    for window in (500, 1000, 2000):
        chosen = {
            name: unit_of(auto, baseline(load(name).slice(0, window)))
            for name in ("elec2", "noaa_weather", "bike_demand_cls", "abrupt_insects", "arabic_digits", "adult_control")
        }
        assert list(chosen.values()) == ["blocks"] * 3 + ["records"] * 3


def test_shuffling_makes_an_autocorrelated_stream_exchangeable():
    assert unit_of(InputDriftPolicy(), baseline(shuffled(load("elec2"), 0).slice(0, 1000))) == "records"


def test_a_drift_within_the_training_rows_is_no_autocorrelation():
    assert unit_of(InputDriftPolicy(), baseline(load("abrupt_insects").slice(0, 3550))) == "records"


def test_the_policy_overrides_the_self_check():
    base = baseline(load("elec2").slice(0, 1000))
    assert unit_of(InputDriftPolicy(unit="records"), base) == "records"
