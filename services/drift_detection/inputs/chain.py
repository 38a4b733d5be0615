"""Exact p-values for "this epoch's rows are exchangeable with the pooled ones", from counts alone.

Given the pooled counts T = pool + epoch, exchangeability makes the epoch's counts multivariate hypergeometric: n rows
drawn from T without replacement.  Taken bin by bin that is a chain of hypergeometrics.  Each link's randomised
probability-integral transform u = F(x-1) + V (F(x) - F(x-1)) is exactly uniform given the links before it (Rosenblatt
1952 for the chain; Brockwell 2007 for discrete links), so the transforms are independent and uniform, the squares of
their normal scores add up to a chi-square, and its tail is the p-value: exact at every sample size, with no
simulation and no smallest value.

The p-values of successive epochs are independent.  Epoch k's is uniform given T_k, hence independent of T_k, and all
later ones depend on the earlier epochs through T_k alone, because every epoch joins the pool.

Everything is in logarithms: a lasting change gives p-values far below the smallest double.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import gammaln, log_ndtr, logsumexp, ndtri_exp

Floats = np.ndarray[Any, np.dtype[np.float64]]
Counts = np.ndarray[Any, np.dtype[np.int64]]

_NEGLIGIBLE = 1e-17


def seeded_uniforms(size: int, *key: object) -> Floats:
    """Uniforms in the open unit interval that are a function of the key: replays and replicas draw the same.

    A hash rather than a generator, whose stream a new library version may change.
    """
    digest = hashlib.shake_128("\x1f".join(str(part) for part in key).encode()).digest(8 * size)
    bits = np.frombuffer(digest, "<u8") >> np.uint64(12)
    return bits.astype(np.float64) * 2.0**-52 + 2.0**-53


def padded(rows: Sequence[Sequence[int]]) -> Counts:
    """Ragged counts as one matrix, (features, widest). Slots that nobody fills change no p-value."""
    table = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for place, row in enumerate(rows):
        table[place, : len(row)] = row
    return table


def log_p_values(pool: Counts, epoch: Counts, uniforms: Floats) -> Floats:
    """Natural logarithm of each feature's p-value.

    ``pool``, ``epoch``: counts, (features, slots); ``uniforms``: the V of each link, same shape.  A feature whose
    pooled rows all share one slot, or with an empty pool or epoch, carries no information and gets 0 (p = 1).
    """
    scores, freedom = _normal_scores(pool, epoch, uniforms)
    informative = (freedom > 0) & (pool.sum(axis=1) > 0) & (epoch.sum(axis=1) > 0)
    log_tails = log_chi_square_tail((scores**2).sum(axis=1), np.maximum(freedom, 1))
    return np.where(informative, log_tails, 0.0)


def log_chi_square_tail(statistic: Floats, freedom: Counts) -> Floats:
    """log P(chi-square with ``freedom`` degrees > statistic), by the finite sum for integer degrees.

    All terms are positive, so nothing cancels, and their logarithms have no smallest value:
    Q(a + 1, x) = Q(a, x) + x^a e^-x / Gamma(a + 1), from Q(1, x) = e^-x or Q(1/2, x) = erfc(sqrt x).
    """
    half = np.maximum(statistic, 1e-300) / 2
    odd = freedom % 2 == 1
    first = np.where(odd, np.log(2) + log_ndtr(-np.sqrt(2 * half)), -half)
    orders = np.where(odd, 0.5, 1.0)[:, None] + np.arange(max(int(freedom.max()) // 2, 1))
    steps = orders * np.log(half)[:, None] - half[:, None] - gammaln(orders + 1)
    steps[orders >= freedom[:, None] / 2] = -np.inf
    return np.asarray(np.minimum(logsumexp(np.column_stack([first, steps]), axis=1), 0.0))


def _normal_scores(pool: Counts, epoch: Counts, uniforms: Floats) -> tuple[Floats, Counts]:
    """The links' normal scores and the number of links, per feature.

    A link exists where the pooled slot is filled and a later one too: that depends on T alone, so leaving the rest
    out keeps the p-value exact.  Links whose draws are used up stay in (they contribute noise): how many those are
    depends on the epoch, and dropping them would not be exact.
    """
    pooled = pool + epoch
    population = _from_the_right(pooled)
    draws = _from_the_right(epoch)
    link = (pooled > 0) & (population > pooled)
    scores = np.zeros(pooled.shape)
    scores[link] = _link_scores(epoch[link], population[link], pooled[link], draws[link], uniforms[link])
    return scores, link.sum(axis=1)


def _link_scores(hits: Counts, population: Counts, marked: Counts, draws: Counts, uniforms: Floats) -> Floats:
    """Normal scores of hypergeometric counts, each worked out in its own smaller tail.

    A count above its mean is looked at as the count of unmarked draws, which is below its own mean.
    """
    upper = hits * population > draws * marked
    hits, marked = np.where(upper, draws - hits, hits), np.where(upper, population - marked, marked)
    uniforms = np.where(upper, 1 - uniforms, uniforms)
    log_mass = _log_mass(hits, population, marked, draws)
    with np.errstate(divide="ignore"):
        log_u = log_mass + np.log(uniforms + _lower_tail(hits, population, marked, draws))
    lower_scores = np.asarray(ndtri_exp(np.minimum(log_u, -1e-16)))
    return np.where(upper, -lower_scores, lower_scores)


def _log_mass(hits: Counts, population: Counts, marked: Counts, draws: Counts) -> Floats:
    def log_choose(n: Counts, k: Counts) -> Floats:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))

    ways = log_choose(marked, hits) + log_choose(population - marked, draws - hits)
    return ways - log_choose(population, draws)


def _lower_tail(hits: Counts, population: Counts, marked: Counts, draws: Counts) -> Floats:
    """P(X < hits) / P(X = hits), by the ratio of neighbouring masses, which falls towards the tail."""
    x, spare = hits.astype(np.float64), (population - marked - draws).astype(np.float64)
    term, tail = np.ones(x.shape), np.zeros(x.shape)
    while True:
        term = term * (x * (spare + x) / ((marked - x + 1) * (draws - x + 1)))
        tail += term
        x = np.maximum(x - 1, 0)
        if not (term > _NEGLIGIBLE * tail).any():
            return tail


def _from_the_right(counts: Counts) -> Counts:
    return np.asarray(np.flip(np.cumsum(np.flip(counts, axis=1), axis=1), axis=1))
