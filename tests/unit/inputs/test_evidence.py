import math

import numpy as np
import pytest
from scipy import integrate

from services.drift_detection.inputs import evidence


def test_the_calibrator_has_mean_one_under_no_change():
    """Its integral over p is 1; in x = -ln p the integrand decays like 1/x^2, whose tail is added by hand."""
    end = 1000.0
    body, _ = integrate.quad(
        lambda x: math.exp(evidence.log_e_values(np.array([-x]))[0] - x), 0, end, limit=500, epsabs=1e-10
    )
    assert body + 1 / end == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("p", [0.999999, 0.9, 0.61, 0.60, 0.5, 0.05, 1e-6, 1e-300])
def test_the_calibrator_is_its_formula(p: float):
    log = math.log(p)
    expected = (math.exp(-log) - 1 + log) / log**2 if p < 0.99 else 0.5
    assert math.exp(evidence.log_e_values(np.array([log]))[0]) == pytest.approx(expected, rel=1e-6)


def test_the_calibrator_is_finite_and_monotone_over_the_whole_range():
    log_p = -np.concatenate([[0.0], np.logspace(-12, 6, 400)])
    log_e = evidence.log_e_values(log_p)
    assert np.isfinite(log_e).all()
    assert (np.diff(log_e) >= 0).all()


def test_the_process_is_the_sum_over_starts_of_products_since():
    e = [0.7, 3.0, 1.5]
    growth = np.zeros(1)
    for each in e:
        log_sr = growth + math.log(each)
        growth = evidence.log_growth_of(log_sr)
    assert math.exp(log_sr[0]) == pytest.approx(0.7 * 3 * 1.5 + 3 * 1.5 + 1.5)


def test_the_threshold_splits_the_budget():
    assert math.exp(evidence.threshold(400, 50)) == pytest.approx(20_000)
    assert math.exp(evidence.threshold(400, 50, detectors=2)) == pytest.approx(40_000)


def test_attribution_names_the_strong_features_only_and_strongest_first():
    log_sr = np.log(np.array([1.0, 1e6, 0.5, 1e9, 2.0]))
    assert evidence.attributed(log_sr, epochs=10) == (3, 1)
    assert evidence.attributed(np.zeros(5), epochs=10) == ()


def test_attribution_gets_easier_the_more_features_are_named():
    """e-BH: the k-th largest must reach d / (level k)."""
    assert len(evidence.attributed(np.log(np.full(4, 25.0)), epochs=1)) == 4
    assert evidence.attributed(np.log(np.array([25.0, 1, 1, 1])), epochs=1) == ()
