import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from services.drift_detection.inputs.records import RecordState, begin_records, update_records
from services.drift_detection.inputs.verdict import InputVerdict
from shared.domain.baseline import Baseline
from shared.domain.pipeline import InputDriftPolicy
from shared.domain.profile import Profile
from shared.runtime.codec import decode, encode
from tests.unit.inputs.slices import baseline, epoch, epochs, load

POLICY = InputDriftPolicy()
FEATURES = 50


def gaussian(rows: int, seed: int, shift: float = 0.0) -> pa.Table:
    values = np.random.default_rng(seed).normal(size=(rows, FEATURES))
    values[:, 17] += shift
    return pa.table({f"x{place}": values[:, place] for place in range(FEATURES)})


def verdicts(
    slices: list[Profile], base: Baseline, policy: InputDriftPolicy = POLICY, stream: str = "test"
) -> list[InputVerdict]:
    state, found = begin_records(stream, base), []
    for each in slices:
        state, verdict = update_records(state, each, policy, base)
        found.append(verdict)
    return found


def with_shift(seed: int, shift: float, before: int, after: int) -> tuple[Baseline, list[Profile]]:
    base = baseline(gaussian(1000, 10_000 + seed))
    calm = epochs(gaussian(100 * before, 20_000 + seed), base, 100)
    moved = epochs(gaussian(100 * after, 30_000 + seed, shift), base, 100)
    return base, [replace(each, epoch=number) for number, each in enumerate([*calm, *moved])]


@pytest.mark.parametrize("seed", range(5))
def test_one_standard_deviation_in_one_of_fifty_features_is_found_and_named_within_five_epochs(seed: int):
    found = verdicts(*reversed(with_shift(seed, 1.0, before=5, after=5)))
    alarms = [number for number, verdict in enumerate(found) if verdict.alarm]
    assert 5 <= alarms[0] < 10
    first = found[alarms[0]]
    assert first.features[0].name == "x17"
    assert first.features[0].effects.direction == "up"
    assert abs(first.change_epoch - 5) <= 1


def test_the_chance_of_a_false_alarm_within_n_epochs_keeps_its_promise():
    """A = 20, n = 10, so at most half of the streams may alarm; one feature, where the union bound wastes nothing."""
    policy = InputDriftPolicy(false_alarm_epochs=20, minimum_effect=0)
    random = np.random.default_rng(0)
    base = baseline(pa.table({"x": random.normal(size=500)}))
    alarmed = 0
    for stream in range(120):
        slices = list(epochs(pa.table({"x": random.normal(size=300)}), base, 30))
        alarmed += any(verdict.alarm for verdict in verdicts(slices, base, policy, f"stream {stream}"))
    assert 0 < alarmed <= 120 * 10 / 20


def test_the_process_has_mean_n_under_no_change():
    """SR_n - n is a martingale. Heavy tails make the sample mean fall short, so the truncated mean is compared."""
    random = np.random.default_rng(1)
    base = baseline(pa.table({f"x{j}": random.normal(size=500) for j in range(40)}))
    ends = []
    for stream in range(60):
        table = pa.table({f"x{j}": random.normal(size=300) for j in range(40)})
        state = begin_records(str(stream), base)
        for each in epochs(table, base, 60):
            state, _ = update_records(state, each, POLICY, base)
        ends += [math.expm1(growth) for growth in state.log_growth]
    assert np.mean(np.minimum(ends, 200)) <= 5
    assert np.mean(np.minimum(ends, 200)) > 1.5


def test_certain_but_immaterial_drift_stays_silent():
    base, slices = with_shift(0, 0.5, before=30, after=10)
    strict = verdicts(slices, base, InputDriftPolicy(minimum_effect=0.4))
    assert max(verdict.evidence for verdict in strict) > strict[0].threshold
    assert not any(verdict.alarm for verdict in strict)
    assert any(verdict.alarm for verdict in verdicts(slices, base, InputDriftPolicy(minimum_effect=0.02)))


def test_the_same_epochs_give_the_same_bits():
    base, slices = with_shift(1, 1.0, before=3, after=3)
    assert verdicts(slices, base) == verdicts(slices, base)
    assert verdicts(slices, base) != verdicts(slices, base, stream="another pipeline")


def test_the_first_epoch_and_empty_epochs_are_evidence_of_nothing():
    base = baseline(gaussian(500, 0))
    empty = epoch(gaussian(100, 1), base, 0, rejects=100)
    found = verdicts([empty, epoch(gaussian(100, 2, 9.0), base, 1), epoch(gaussian(100, 2, 9.0), base, 2)], base)
    assert not any(verdict.alarm for verdict in found)
    assert not any(verdict.features for verdict in found[:2])


@pytest.mark.parametrize(("name", "changes"), [("abrupt_insects", [1775, 3550]), ("arabic_digits", [2200, 4400, 6600])])
def test_published_changes_are_found_within_four_epochs_and_nothing_else(name: str, changes: list[int]):
    table, window, cut, alarms = load(name), 500, 0, []
    while True:
        base = baseline(table.slice(cut, window))
        slices = list(epochs(table.slice(cut + window), base, 100))
        found = next((n for n, verdict in enumerate(verdicts(slices, base)) if verdict.alarm), None)
        if found is None:
            break
        cut += window + 100 * (found + 1)
        alarms.append(cut)
    assert len(alarms) == len(changes)
    assert all(0 < alarm - change <= 400 for alarm, change in zip(alarms, changes, strict=True))


def test_the_change_is_dated_to_its_epoch():
    dates = []
    for seed in range(20):
        base, slices = with_shift(seed, 1.0, before=10, after=3)
        dates += [verdict.change_epoch for verdict in verdicts(slices, base, stream=str(seed)) if verdict.alarm][:1]
    assert sum(date == 10 for date in dates) >= 18


def test_a_state_survives_its_codec():
    base, slices = with_shift(2, 1.0, before=3, after=2)
    state = begin_records("test", base)
    for each in slices:
        state, _ = update_records(state, each, POLICY, base)
    assert decode(RecordState, encode(state)) == state
