"""From p-values to evidence that may be looked at after every epoch, with a promise about false alarms.

*Calibrator* (Vovk & Wang 2021, "E-values: calibration, combination and applications", section 2): the mixture of
kappa p^(kappa-1) over kappa in (0, 1) is e = (1 - p + p ln p) / (p ln^2 p).  Under no change its mean is 1.

*Shiryaev-Roberts process* (Shiryaev 1963; Roberts 1966; as an e-detector: Shin, Ramdas & Rinaldo 2024,
"E-detectors"): SR_n = (SR_{n-1} + 1) e_n, SR_0 = 0: the sum, over all starting epochs, of the product of the e-values
since.  It grows exponentially once epochs disagree with the pool, whenever that begins.

*The promise.*  Under exchangeability the p-values of successive epochs are independent and uniform (`chain`), so
each e-value has mean 1 whatever came before, and SR_n - n is a martingale: SR_n is a non-negative submartingale of
mean n.  Doob's maximal inequality then bounds the chance that it ever reached a threshold:

    P(max over k <= n of SR_k >= h)  <=  n / h.

With d processes and h = d A the union bound gives P(false alarm within n epochs) <= n / A, whatever the dependence
between the features.  A is the operator's knob ``false_alarm_epochs``.

*The budget.*  A belongs to the pipeline, not to one detector.  Every process on the promise gets an equal share: with
m detectors of d_1, ..., d_m processes, each of detector i's processes alarms at h = m d_i A, and the chances
n / (m A) add up to n / A.  In record mode d is the number of binned features; in block mode all features are
condensed into one process, d = 1.  The performance detector counts in labels and has a budget of its own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]

_SERIES_BELOW = 0.5
_SERIES_TERMS = 12


def log_e_values(log_p: Floats) -> Floats:
    """ln e of the mixture calibrator, from ln p <= 0.

    With x = -ln p the calibrator is (e^x - 1 - x) / x^2: 1/2 at p = 1 and unbounded towards p = 0.  The difference
    cancels for small x, where its power series is used, and overflows for large x, where e^x is factored out.
    """
    x = np.maximum(-np.asarray(log_p, dtype=np.float64), 0.0)
    large = np.maximum(x, _SERIES_BELOW)
    direct = large - 2 * np.log(large) + np.log1p(-(1 + large) * np.exp(-large))
    return np.where(x < _SERIES_BELOW, np.log(_series(np.minimum(x, _SERIES_BELOW))), direct)


def log_growth_of(log_sr: Floats) -> Floats:
    """ln(1 + SR) from ln SR.

    The recursion is ln SR' = ln(1 + SR) + ln e, so this is what a state has to keep: it is 0 where nothing has
    happened yet, and never infinite.
    """
    return np.logaddexp(0.0, log_sr)


def threshold(false_alarm_epochs: int, processes: int, detectors: int = 1) -> float:
    """ln of the height h = detectors x processes x A that keeps the pipeline's promise (see the module)."""
    return math.log(false_alarm_epochs) + math.log(processes) + math.log(detectors)


def attributed(log_sr: Floats, epochs: int, level: float = 0.05) -> tuple[int, ...]:
    """Which features the evidence names: e-BH (Wang & Ramdas 2022) on SR / epochs, strongest first.

    At any fixed epoch SR_n / n is an e-value, and e-BH keeps the expected share of wrongly named features below
    ``level`` under any dependence.  At the epoch of an alarm, which the data chose, that is a guide, not a guarantee.
    """
    order = np.argsort(-log_sr, kind="stable")
    ranks = np.arange(1, len(order) + 1)
    enough = log_sr[order] - math.log(max(epochs, 1)) >= math.log(len(order) / level) - np.log(ranks)
    named = int(ranks[enough].max()) if enough.any() else 0
    return tuple(order[:named].tolist())


def _series(x: Floats) -> Floats:
    total, term = np.zeros(x.shape), np.full(x.shape, 0.5)
    for k in range(_SERIES_TERMS):
        total = total + term
        term = term * x / (k + 3)
    return total
