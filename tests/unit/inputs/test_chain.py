import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from services.drift_detection.inputs import chain

POOL = np.array([40, 3, 0, 1, 95, 30, 12, 5, 8, 9, 60, 22, 0, 2, 250, 7])
"""Uneven on purpose: empty slots, rare ones and heavy ones."""


def null_log_p_values(seed: int, features: int, rows: int = 100) -> np.ndarray:
    random = np.random.default_rng(seed)
    drawn = random.multivariate_hypergeometric(POOL, rows, size=features)
    return chain.log_p_values(POOL - drawn, drawn, random.random(drawn.shape))


def test_p_values_of_exchangeable_counts_are_uniform():
    p = np.exp(np.concatenate([null_log_p_values(seed, 2000) for seed in range(5)]))
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_even_tiny_epochs_give_uniform_p_values():
    p = np.exp(null_log_p_values(0, 8000, rows=2))
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_p_values_of_successive_epochs_are_uniform_together():
    """Pairs of epochs that share an expanding pool fill the unit square evenly."""
    random = np.random.default_rng(3)
    streams = random.multivariate_hypergeometric(POOL, 300, size=4000)
    first = np.array([random.multivariate_hypergeometric(row, 100) for row in streams])
    second = np.array([random.multivariate_hypergeometric(row, 100) for row in streams - first])
    start = streams - first - second
    early = chain.log_p_values(start, first, random.random(first.shape))
    late = chain.log_p_values(start + first, second, random.random(first.shape))
    cells, *_ = np.histogram2d(np.exp(early), np.exp(late), bins=5, range=[[0, 1], [0, 1]])
    assert stats.chisquare(cells.ravel()).pvalue > 0.001


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_link_is_the_randomised_transform_of_its_hypergeometric(data):
    population = data.draw(st.integers(2, 3000))
    marked = data.draw(st.integers(1, population - 1))
    draws = data.draw(st.integers(1, population))
    low, high = max(0, draws + marked - population), min(draws, marked)
    hits, uniform = data.draw(st.integers(low, high)), data.draw(st.floats(0.01, 0.99))
    law = stats.hypergeom(population, marked, draws)
    below, above = law.cdf(hits - 1) + uniform * law.pmf(hits), law.sf(hits) + (1 - uniform) * law.pmf(hits)
    expected = stats.norm.ppf(below) if below < 0.5 else stats.norm.isf(above)
    if max(below, above) < 1 and min(below, above) > 1e-200:
        score = chain._link_scores(*(np.array([x]) for x in (hits, population, marked, draws)), np.array([uniform]))
        assert score[0] == pytest.approx(expected, abs=1e-6, rel=1e-6)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 15])
def test_the_chi_square_tail_is_scipys_and_goes_on_where_scipys_ends(freedom: int):
    statistic = np.array([1e-3, 0.5, 3.0, 20.0, 400.0])
    found = chain.log_chi_square_tail(statistic, np.full(5, freedom))
    assert found == pytest.approx(stats.chi2.logsf(statistic, freedom), rel=1e-9, abs=1e-15)
    beyond = chain.log_chi_square_tail(np.array([1e6]), np.array([freedom]))[0]
    assert math.isfinite(beyond)
    assert beyond == pytest.approx(-5e5, rel=1e-3)


def test_a_total_change_is_finite_and_overwhelming():
    pool, epoch = np.array([[10_000, 0, 0]]), np.array([[0, 10_000, 0]])
    log_p = chain.log_p_values(pool, epoch, np.full((1, 3), 0.5))
    assert np.isfinite(log_p).all()
    assert log_p[0] < -10_000


@pytest.mark.parametrize(
    ("pool", "epoch"),
    [([0, 0, 0], [5, 3, 0]), ([5, 3, 0], [0, 0, 0]), ([9, 0, 0], [4, 0, 0])],
    ids=["pool", "epoch", "constant"],
)
def test_nothing_to_compare_is_no_evidence(pool: list[int], epoch: list[int]):
    assert chain.log_p_values(np.array([pool]), np.array([epoch]), np.full((1, 3), 0.5)) == [0.0]


def test_seeded_uniforms_are_a_function_of_their_key():
    assert (chain.seeded_uniforms(50, "p", 1, 2) == chain.seeded_uniforms(50, "p", 1, 2)).all()
    assert (chain.seeded_uniforms(50, "p", 1, 2) != chain.seeded_uniforms(50, "p", 1, 3)).all()
    many = chain.seeded_uniforms(20_000, "key")
    assert 0 < many.min() < many.max() < 1
    assert stats.kstest(many, "uniform").pvalue > 0.001
