"""The evidence in paired counts is an e-value; dispersion and quality add up exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.deployment.gate import gain, judge
from shared.domain.dispersion import Dispersion, dispersion_of
from shared.domain.pipeline import PromotionPolicy
from shared.domain.quality import (
    MILLION,
    Quality,
    classification_metrics,
    classification_quality,
    merge_versions,
    regression_metrics,
    regression_quality,
)
from shared.domain.trials import Paired, log_evidence

POLICY = PromotionPolicy(slices=("shop",))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 20, 60, 200])
@pytest.mark.parametrize("chance", [0.5, 0.4, 0.1])
def test_evidence_has_mean_one_at_most_where_the_challenger_is_not_better(n: int, chance: float) -> None:
    mean = sum(
        math.comb(n, wins) * chance**wins * (1 - chance) ** (n - wins) * math.exp(log_evidence(wins, n - wins))
        for wins in range(n + 1)
    )
    assert mean <= 1 + 1e-9
    assert chance < 0.5 or mean == pytest.approx(1)


def test_twenty_to_one_is_ever_reached_by_a_fair_coin_in_at_most_one_run_of_twenty() -> None:
    random = np.random.default_rng(1)
    wins = np.cumsum(random.random((4000, 400)) < 0.5, axis=1)
    n = np.arange(1, 401)
    table = np.array([[log_evidence(w, float(m - w)) if w <= m else -1.0 for w in range(401)] for m in n])
    reached = (table[n - 1, wins] >= math.log(20)).any(axis=1).mean()
    assert 0.005 < reached <= 0.05


@given(st.integers(0, 500), st.integers(0, 500))
def test_evidence_grows_with_wins_and_shrinks_with_losses(wins: int, losses: int) -> None:
    assert log_evidence(wins + 1, losses) > log_evidence(wins, losses) > log_evidence(wins, losses + 1)


def test_clear_evidence_is_found_soon() -> None:
    assert log_evidence(15, 2) > math.log(20) > log_evidence(10, 5)


counts = st.builds(
    lambda wins, losses, ties: Paired(wins + losses + ties, wins, losses, losses * MILLION, wins * MILLION),
    *[st.integers(0, 200)] * 3,
)


@given(counts)
def test_the_gate_is_symmetric(trial: Paired) -> None:
    mirror = {"better": "worse", "worse": "better", "undecided": "undecided"}
    verdict = judge({"all": trial}, POLICY).verdict
    assert judge({"all": trial.swapped()}, POLICY).verdict == mirror[verdict]
    assert gain(trial) == -gain(trial.swapped())


def test_overdispersion_discounts_the_counts() -> None:
    trial = {"all": Paired(100, 20, 5, 0, 0)}
    assert judge(trial, POLICY).verdict == "better"
    assert judge(trial, POLICY, phi=4.0).verdict == "undecided"
    assert judge(trial, POLICY, phi=4.0) == judge(trial, POLICY, phi=4.0)


@given(counts, st.floats(1, 10))
def test_a_discount_never_makes_a_verdict(trial: Paired, phi: float) -> None:
    if judge({"all": trial}, POLICY).verdict == "undecided":
        assert judge({"all": trial}, POLICY, phi).verdict == "undecided"


def test_a_slice_that_got_worse_by_less_than_the_tolerance_is_borne() -> None:
    whole = Paired(1000, 60, 10, 10 * MILLION, 60 * MILLION)
    little = Paired(1000, 5, 40, 40 * MILLION, 5 * MILLION)
    much = Paired(100, 5, 40, 40 * MILLION, 5 * MILLION)
    assert judge({"all": whole, "shop=north": little}, POLICY).verdict == "better"
    assert judge({"all": whole, "shop=north": much}, POLICY).verdict == "worse"


def test_losses_that_come_in_runs_are_overdispersed_and_independent_ones_are_not() -> None:
    random = np.random.default_rng(2)
    independent = [(float(k), 25) for k in random.binomial(25, 0.3, 400)]
    runs = [(float(k), 25) for k in random.choice([0, 15], 400)]
    assert dispersion_of(independent).phi == pytest.approx(1, abs=0.2)
    assert dispersion_of(runs).phi > 5
    assert dispersion_of([(0.0, 25), (0.0, 25)]) == Dispersion()
    assert Dispersion().phi == 1


labels = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=60)


@given(labels, st.integers(0, 60))
def test_counts_of_two_slices_add_up_to_the_whole(pairs: list[tuple[str, str]], cut: int) -> None:
    def of(part: list[tuple[str, str]]) -> Quality:
        return classification_quality([t for t, _ in part], [s for _, s in part])

    assert of(pairs[:cut]) + of(pairs[cut:]) == of(pairs)
    assert of(pairs[cut:]) + of(pairs[:cut]) == of(pairs)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), max_size=40), st.integers(0, 40))
def test_regression_counts_merge_to_the_bit(pairs: list[tuple[float, float]], cut: int) -> None:
    def of(part: list[tuple[float, float]]) -> Quality:
        return regression_quality([t for t, _ in part], [s for _, s in part], 3.0)

    assert of(pairs[:cut]) + of(pairs[cut:]) == of(pairs)


def test_metrics_are_scikit_learns() -> None:
    from sklearn import metrics

    random = np.random.default_rng(3)
    true, said = random.choice(list("abc"), 300), random.choice(list("abcd"), 300)
    mine = classification_metrics(classification_quality(true.tolist(), said.tolist()))
    assert mine["accuracy"] == pytest.approx(metrics.accuracy_score(true, said))
    assert mine["kappa"] == pytest.approx(metrics.cohen_kappa_score(true, said))
    assert mine["f1_macro"] == pytest.approx(metrics.f1_score(true, said, average="macro", zero_division=0))
    assert mine["precision_macro"] == pytest.approx(
        metrics.precision_score(true, said, average="macro", zero_division=0)
    )
    x, y = random.normal(size=100), random.normal(size=100)
    errors = regression_metrics(regression_quality(x.tolist(), y.tolist(), 1.0))
    assert errors["mae"] == pytest.approx(metrics.mean_absolute_error(x, y), abs=1e-6)
    assert errors["rmse"] == pytest.approx(metrics.root_mean_squared_error(x, y), abs=1e-6)


def test_versions_are_never_mixed() -> None:
    one, two = Quality(1, 0, (("a", "a", 1),)), Quality(1, MILLION, (("a", "b", 1),))
    assert merge_versions({"one": one}, {"two": two}) == {"one": one, "two": two}
