"""The detectors against other people's: river's published alarms, river side by side, scipy's test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift
from scipy.stats import ks_2samp

from services.drift_detection.detectors import DetectorError, make_detector
from services.drift_detection.detectors.adwin import Adwin
from services.drift_detection.detectors.ks import KolmogorovSmirnov, ks_distance, ks_p_value

RIVERS_NAMES = {
    "max_buckets": "buckets",
    "min_window_length": "minimum_part",
    "grace_period": "grace",
    "warm_start": "warm_up",
    "drift_threshold": "deviations",
    "min_instances": "minimum_rows",
}
PAIRS = [
    ("adwin", drift.ADWIN, {}),
    ("adwin", drift.ADWIN, {"delta": 0.05, "clock": 1}),
    ("adwin", drift.ADWIN, {"clock": 7, "max_buckets": 3, "min_window_length": 2, "grace_period": 20}),
    ("ddm", drift.binary.DDM, {}),
    ("ddm", drift.binary.DDM, {"warm_start": 100, "drift_threshold": 2.0}),
    ("page-hinkley", drift.PageHinkley, {}),
    ("page-hinkley", drift.PageHinkley, {"mode": "up", "threshold": 20, "delta": 0.01}),
    ("page-hinkley", drift.PageHinkley, {"mode": "down", "min_instances": 100, "alpha": 0.99, "threshold": 5}),
]


def published_streams() -> dict[str, list[float]]:
    """The streams of river's own tests, drawn from the generator they were drawn from."""
    random = np.random.RandomState(12345)
    first = np.concatenate((random.randint(2, size=1000), random.randint(8, size=1000)))
    random = np.random.RandomState(12345)
    second = np.concatenate((random.binomial(1, 0.2, 1000), random.binomial(1, 0.8, 1000)))
    random = np.random.RandomState(12345)
    third = np.concatenate([random.normal(mean, 0.1, 500) > 0 for mean in (0, 0.25, 0, 0.25)])
    return {
        "S1": first.astype(float).tolist(),
        "S2": second.astype(float).tolist(),
        "S3": third.astype(float).tolist(),
        "ones": [1.0] * 1000,
    }


@pytest.mark.parametrize(
    ("name", "parameters", "stream", "expected"),
    [
        ("adwin", {}, "S1", (1023,)),
        ("ddm", {}, "S2", (1049,)),
        ("ddm", {}, "ones", ()),
        ("page-hinkley", {"mode": "up"}, "S3", (588, 1681)),
        ("page-hinkley", {"mode": "down"}, "S3", (1172,)),
        ("page-hinkley", {"mode": "both"}, "S3", (588, 1097, 1585)),
        ("page-hinkley", {}, "S3", (588, 1097, 1585)),
    ],
)
def test_alarms_are_the_published_ones(
    name: str, parameters: dict[str, Any], stream: str, expected: tuple[int, ...]
) -> None:
    detector = make_detector(name, **parameters)
    assert detector.watches == "loss"
    assert detector.update_many(detector.start(), published_streams()[stream])[1] == expected


def random_stream(seed: int, scale: float, rows: int = 3000) -> list[float]:
    """Segments with means of their own: errors, or losses spread over [0, scale]."""
    random = np.random.default_rng(seed)
    segments: list[np.ndarray[Any, Any]] = []
    while sum(segment.size for segment in segments) < rows:
        length, level = int(random.integers(50, 900)), random.random()
        noise = random.random(length)
        segments.append((noise < level).astype(float) if seed % 2 else noise * level)
    return (np.concatenate(segments)[:rows] * scale).tolist()  # type: ignore[no-any-return]


def rivers_alarms(detector: Any, losses: list[float]) -> tuple[int, ...]:
    alarms = []
    for index, loss in enumerate(losses):
        detector.update(loss)
        if detector.drift_detected:
            alarms.append(index)
    return tuple(alarms)


@pytest.mark.parametrize(("name", "theirs", "parameters"), PAIRS)
def test_alarms_are_rivers_on_random_streams(name: str, theirs: Any, parameters: dict[str, Any]) -> None:
    detector = make_detector(name, **{RIVERS_NAMES.get(key, key): value for key, value in parameters.items()})
    assert detector.watches == "loss"
    raised = 0
    for seed in range(25):
        losses = random_stream(seed, scale=1.0 if name == "ddm" else 1.0 + seed % 5)
        _, alarms = detector.update_many(detector.start(), losses)
        assert alarms == rivers_alarms(theirs(**parameters), losses)
        raised += len(alarms)
    assert raised > 10


def test_adwin_remembers_a_long_window_in_a_few_sums() -> None:
    detector = Adwin()
    state, alarms = detector.update_many(detector.start(), np.tile([0.0, 1.0, 0.0], 10_000).tolist())
    assert (state.rows, state.total, alarms) == (30_000, 10_000.0, ())
    assert sum(map(len, state.levels)) <= 5 * 14
    assert sum(len(level) << place for place, level in enumerate(state.levels)) == 30_000


counts = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=2, max_size=12).filter(
    lambda pairs: all(sum(side) for side in zip(*pairs, strict=True))
)


@given(counts)
@settings(max_examples=60, deadline=None)
def test_ks_is_scipys_on_the_binned_values(pairs: list[tuple[int, int]]) -> None:
    reference, current = (np.array(side) for side in zip(*pairs, strict=True))
    slots = np.arange(len(pairs))
    theirs = ks_2samp(np.repeat(slots, reference), np.repeat(slots, current), method="asymp")
    distance = ks_distance(reference.tolist(), current.tolist())
    assert distance == pytest.approx(theirs.statistic, abs=1e-12)
    assert ks_p_value(distance, int(reference.sum()), int(current.sum())) == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize(("moved", "alarm"), [(0, False), (4, False), (30, True)])
def test_ks_alarms_when_one_feature_of_several_moved(moved: int, alarm: bool) -> None:
    still = (500, 500, 0, 0)
    detector = KolmogorovSmirnov()
    epoch = ((50, 50, 0, 0), (50 - moved, 50 + moved, 0, 0))
    assert detector.update(detector.start(), (still, still), epoch)[1] is alarm


def test_ks_divides_its_level_by_the_number_of_features() -> None:
    moved, still = ((500, 500), (65, 35)), ((500, 500), (50, 50))
    p_value = ks_p_value(ks_distance(*moved), 1000, 100)
    detector = KolmogorovSmirnov(alpha=p_value * 2.5)
    for others, alarm in ((0, True), (1, True), (2, False)):
        reference, current = zip(moved, *[still] * others, strict=True)
        assert detector.update(detector.start(), reference, current)[1] is alarm


def test_ks_needs_rows_on_both_sides() -> None:
    detector = KolmogorovSmirnov()
    assert detector.update(detector.start(), ((0, 0),), ((5, 5),)) == (detector.start(), False)
    assert detector.update(detector.start(), ((5, 5),), ((0, 0),)) == (detector.start(), False)


def test_ks_refuses_counts_of_different_bins_or_rows() -> None:
    detector = KolmogorovSmirnov()
    with pytest.raises(DetectorError, match="count both with the same bins"):
        detector.update(detector.start(), ((5, 5),), ((5, 5, 5),))
    with pytest.raises(DetectorError, match=r"the epoch's features count \[6, 10\] rows"):
        detector.update(detector.start(), ((5, 5), (5, 5)), ((5, 5), (3, 3)))
