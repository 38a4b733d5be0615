"""The sequential test on labelled losses, keyed by model version.

Null hypothesis: the mean loss of this version is at most ``bound + tolerance``, where ``bound`` is an upper
confidence limit from the version's own first labels (not from its training rows: in time-ordered data those flatter).
For each alternative mean q, L = k ln(q/m) + (n-k) ln((1-q)/(1-m)) is the log likelihood ratio of a step with summed
loss k in n rows; for losses in [0, 1] exp(L) has mean at most 1 under the null.  The Shiryaev-Roberts recursion
M <- (M + n) exp(L) counts the run length in labels, and the mean of M over the alternatives reaches A = "labels per
false alarm" after A labels at the earliest in expectation (Shin, Ramdas & Rinaldo, "E-detectors", 2023).

Autocorrelated errors make that optimistic.  So k and n are divided by the overdispersion phi of the steps' losses,
pooled over versions (`shared.domain.dispersion`).  With phi the promise is calibrated, not proven.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from shared.domain.dispersion import Dispersion, dispersion_of
from shared.domain.quality import MILLION, Quality

ALTERNATIVES = (0.05, 0.1, 0.2, 0.4, 0.7)
"""Where between the bound and 1 the alternatives' means lie."""
CONFIDENCE = 0.9
"""Of the upper limit on the version's loss when new."""
LEAST = 0.001
"""The null's mean stays so far from 0 and 1: no likelihood ratio is defined against a certainty."""
NEVER = -math.inf


@dataclass(frozen=True, slots=True)
class LossState:
    """One version's test. Labels are counted over all lanes.

    ``steps``: (summed loss, rows) of the first steps, until the version has a bound of its own (``settled``).
    ``log_growth``, ``runup``, ``starts``: per alternative ln M, the cumulative sum of L above its last zero, and the
    label position of that zero, which estimates where the change began.
    """

    version: str | None = None
    steps: tuple[tuple[float, int], ...] = ()
    settled: bool = False
    bound: float | None = None
    log_growth: tuple[float, ...] = (NEVER,) * len(ALTERNATIVES)
    runup: tuple[float, ...] = (0.0,) * len(ALTERNATIVES)
    starts: tuple[int, ...] = (0,) * len(ALTERNATIVES)

    @property
    def evidence(self) -> float:
        """ln of the mean of M over the alternatives; at most 0 while nothing builds up."""
        top = max(self.log_growth)
        if top == NEVER:
            return 0.0
        return max(0.0, top + math.log(sum(math.exp(g - top) for g in self.log_growth) / len(self.log_growth)))

    @property
    def since(self) -> int:
        """Label position at which the strongest alternative's run-up began."""
        return self.starts[max(range(len(self.runup)), key=lambda j: self.runup[j])]


def begin(version: str | None, bound: float | None = None) -> LossState:
    """A new version's test; ``bound`` is inherited from its predecessor where nothing had drifted."""
    return LossState(version=version, bound=bound)


def update(
    state: LossState, dispersion: Dispersion, step: Quality, label: int, settle: int, limit: float, tolerance: float
) -> tuple[LossState, Dispersion]:
    """Add one step that ends at label position ``label``.

    ``settle``: labels that make the version's own bound.  ``limit``: an absolute objective, 1 where there is none:
    the bound is never looser.
    """
    loss, rows = step.loss / MILLION, step.n
    if not rows:
        return state, dispersion
    if not state.settled:
        state, dispersion = _settle(state, dispersion, (loss, rows), settle)
    if state.bound is None:
        return state, dispersion
    mean = max(LEAST, min(state.bound + tolerance, limit, 1 - LEAST))
    return _accumulate(state, loss, rows, mean, dispersion.phi, label - rows), dispersion


def _settle(
    state: LossState, dispersion: Dispersion, step: tuple[float, int], settle: int
) -> tuple[LossState, Dispersion]:
    """Collect first labels; with enough of them, bound the loss from above. A tighter inherited bound stays."""
    steps = (*state.steps, step)
    loss, rows = sum(k for k, _ in steps), sum(n for _, n in steps)
    if rows < settle:
        return replace(state, steps=steps), dispersion
    dispersion = dispersion + dispersion_of(steps)
    bound = upper_limit(loss / dispersion.phi, rows / dispersion.phi)
    if state.bound is not None and state.bound <= bound:
        return replace(state, steps=(), settled=True), dispersion
    return replace(begin(state.version, bound), settled=True), dispersion


def upper_limit(losses: float, rows: float) -> float:
    """Clopper-Pearson upper limit of a share, counts need not be whole."""
    from scipy.stats import beta

    return 1.0 if losses >= rows else float(beta.ppf(CONFIDENCE, losses + 1, rows - losses))


def _accumulate(state: LossState, loss: float, rows: int, mean: float, phi: float, start: int) -> LossState:
    growth, runup, starts = [], [], []
    for j, share in enumerate(ALTERNATIVES):
        worse = mean + (1 - mean) * share
        log_ratio = (loss * math.log(worse / mean) + (rows - loss) * math.log((1 - worse) / (1 - mean))) / phi
        growth.append(_log_add(state.log_growth[j], math.log(rows)) + log_ratio)
        fresh = state.runup[j] <= 0
        starts.append(start if fresh else state.starts[j])
        runup.append((0.0 if fresh else state.runup[j]) + log_ratio)
    return replace(state, log_growth=tuple(growth), runup=tuple(runup), starts=tuple(starts))


def _log_add(left: float, right: float) -> float:
    low, high = sorted((left, right))
    return high + math.log1p(math.exp(low - high)) if low != NEVER else high
