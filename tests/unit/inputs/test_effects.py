import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from services.drift_detection.inputs import effects
from shared.domain.bins import Bins
from shared.domain.contract import Kind
from shared.domain.counts import FeatureProfile
from tests.streams import DATA

EDGES = (0.0, 1.0, 2.5, 3.0, 7.0)
NUMBERS = Bins("x", Kind.NUMBER, edges=EDGES)
CATEGORIES = Bins("c", Kind.CATEGORY, values=("a", "b", "c", "d", "e"))
COUNTS = st.lists(st.integers(0, 50), min_size=8, max_size=8).filter(lambda c: sum(c[:-2]) > 0).map(np.array)


def published() -> dict:
    path = DATA.parent / "published" / "oracle_values.json"
    if not path.exists():
        reason = "the published oracle values are not beside the repository (../shared/published)"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return json.loads(path.read_text())


@given(COUNTS, COUNTS)
def test_ks_is_scipys_on_the_binned_samples(reference, counts):
    places = np.arange(len(EDGES) + 1)
    expected = stats.ks_2samp(np.repeat(places, reference[:-2]), np.repeat(places, counts[:-2])).statistic
    assert effects.kolmogorov_smirnov(NUMBERS, reference, counts) == pytest.approx(expected)


@given(COUNTS, COUNTS)
def test_wasserstein_is_scipys_on_the_middles_in_reference_spreads(reference, counts):
    middles = effects.middles(NUMBERS)
    expected = stats.wasserstein_distance(middles, middles, reference[:-2], counts[:-2])
    profile = FeatureProfile(tuple(reference.tolist()), (), 0, 4 * 10, 10)
    assert effects.wasserstein(NUMBERS, profile, counts) == pytest.approx(expected / 2)


@given(COUNTS, COUNTS)
def test_jensen_shannon_is_scipys_in_base_two(reference, counts):
    assert effects.jensen_shannon(reference, counts) == pytest.approx(
        distance.jensenshannon(reference, counts, base=2), abs=1e-7
    )


@given(COUNTS, COUNTS)
def test_psi_is_the_symmetrised_divergence_of_the_smoothed_shares(reference, counts):
    p, q = reference + 0.5, counts + 0.5
    expected = stats.entropy(p, q) + stats.entropy(q, p)
    assert effects.psi(reference, counts) == pytest.approx(expected)


@given(COUNTS, COUNTS)
def test_total_variation_is_the_largest_gain_of_any_event(reference, counts):
    moved = counts / counts.sum() - reference / reference.sum()
    assert effects.total_variation(reference, counts) == pytest.approx(moved[moved > 0].sum())


def test_total_variation_is_the_published_complement_of_the_histogram_intersection_for_the_same_edges():
    expected = published()["frouros HEAD c69d1394 tests/integration"]
    expected = expected["univariate: seed31 N(1,1,100) vs seed31 N(5,2,100)"]["HI complement"]
    one = np.random.RandomState(31).normal(1, 1, 100)
    other = np.random.RandomState(31).normal(5, 2, 100)
    edges = np.histogram_bin_edges(np.concatenate([one, other]), 10)
    counts = [np.histogram(values, edges)[0] for values in (one, other)]
    assert effects.total_variation(*counts) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("key", "statistic", "reference", "counts"),
    [
        ("JS cat abcd10k vs abce1k", "js", [2500, 2500, 2500, 2500, 0], [250, 250, 250, 0, 250]),
        ("Linf new category aabbcc vs aabbccd", "ks", [2, 2, 2, 0, 0], [2, 2, 2, 1, 0]),
        ("Linf aabbcc vs bbbbb", "ks", [2, 2, 2, 0, 0], [0, 5, 0, 0, 0]),
    ],
)
def test_categories_agree_with_published_values(key, statistic, reference, counts):
    values = published()["NannyML 4c86ee35 tests/drift/test_univariate_drift_methods.py (seed 1 each; JS = distance base 2; doane bins on reference; leftover bin)"]  # fmt: skip  # noqa: E501
    found = effects.effects_of(CATEGORIES, FeatureProfile((*reference, 0, 0, 0)), np.array([*counts, 0, 0, 0]))
    assert getattr(found, statistic) == pytest.approx(values[key], abs=0.005)


def test_chance_alone_is_taken_off_the_material_variation():
    random = np.random.default_rng(0)
    shares = np.full(12, 1 / 12)
    pairs = [(random.multinomial(1000, shares), random.multinomial(100, shares)) for _ in range(200)]
    assert np.mean([effects.total_variation(*pair) for pair in pairs]) > 0.1
    assert np.mean([effects.material_variation(*pair) for pair in pairs]) < 0.04


def test_material_variation_keeps_what_is_real():
    assert effects.material_variation(np.array([500, 500]), np.array([50, 450])) == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([0, 10, 10, 10, 10, 0, 0, 0], "none"),
        ([0, 0, 0, 20, 20, 0, 0, 0], "up"),
        ([0, 20, 20, 0, 0, 0, 0, 0], "down"),
        ([0, 20, 0, 0, 20, 0, 0, 0], "shape"),
        ([0, 10, 10, 5, 0, 0, 15, 0], "missing"),
        ([0, 10, 5, 5, 0, 0, 0, 20], "unseen"),
    ],
)
def test_direction_says_where_the_mass_went(counts, expected):
    reference = np.array([0, 10, 10, 10, 10, 0, 0, 0])
    assert effects.direction(NUMBERS, reference, np.array(counts)) == expected


def test_no_rows_no_effect():
    nothing = effects.effects_of(NUMBERS, FeatureProfile((0,) * 8), np.zeros(8, np.int64))
    assert (nothing.psi, nothing.total_variation, nothing.direction) == (0.0, 0.0, "none")
