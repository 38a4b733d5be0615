"""The self-check behind ``unit: auto``: are the training rows, in their order, exchangeable?

Two signs, both from integers that the baseline holds.  *Stays*: how often neighbouring rows share a slot, against how
often two rows of the same slice do; a value that lingers shows there at once.  *Spread*: the chi-square between
neighbouring slices over its degrees of freedom, the design effect of cluster sampling (Kish 1965; Rao & Scott 1981):
1 for exchangeable rows, above it when rows come in runs or days, and then about the factor by which the record test
would overstate its evidence.

Both look at neighbours, and medians are taken, because training rows may well span one drift: that is no reason to
give up the quick detector, and a comparison of all slices with all would do so after every retraining.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from shared.domain.baseline import Baseline

Floats = np.ndarray[Any, np.dtype[np.float64]]
Unit = Literal["records", "blocks"]

SPREAD_LIMIT = 2.0
"""Median design effect above which records are not exchangeable."""

STAY_LIMIT = 0.07
"""Median excess of stays (0: as at random, 1: the slot never changes) above which they are not."""


def choose_unit(baseline: Baseline) -> Unit:
    """``records`` if the training rows look exchangeable, else ``blocks``."""
    spread, stays = design_effects(baseline), stay_excess(baseline)
    if not spread.size:
        return "records"
    return "blocks" if np.median(spread) > SPREAD_LIMIT or np.median(stays) > STAY_LIMIT else "records"


def design_effects(baseline: Baseline) -> Floats:
    """Median chi-square between neighbouring slices per degree of freedom, of each feature that varies."""
    return np.array([_design_effect(table) for table, _ in _varying(baseline)])


def stay_excess(baseline: Baseline) -> Floats:
    """(observed - chance) / (1 - chance) of neighbouring rows sharing a slot, of each feature that varies."""
    return np.array([_excess(table, stays) for table, stays in _varying(baseline)])


def _design_effect(table: Floats) -> float:
    pairs = [table[place : place + 2] for place in range(len(table) - 1)]
    return float(np.median([_chi_square_per_freedom(pair) for pair in pairs]))


def _chi_square_per_freedom(pair: Floats) -> float:
    """1 where the two slices share a single slot: they could not look more alike, nor less."""
    pair = pair[:, pair.sum(axis=0) > 0]
    if pair.shape[1] < 2 or not pair.sum(axis=1).all():
        return 1.0
    expected = pair.sum(axis=1, keepdims=True) * pair.sum(axis=0) / pair.sum()
    return float(((pair - expected) ** 2 / expected).sum() / (pair.shape[1] - 1))


def _excess(table: Floats, stays: int) -> float:
    rows = table.sum(axis=1)
    pairs = (rows * (rows - 1)).sum()
    chance = float((table * (table - 1)).sum() / pairs) if pairs else 1.0
    return (stays / (rows.sum() - 1) - chance) / (1 - chance) if chance < 1 else 0.0


def _varying(baseline: Baseline) -> list[tuple[Floats, int]]:
    """Counts as (slices, slots) and stays, of the features that take more than one slot."""
    tables = [
        np.array([part[place] for part in baseline.slices], dtype=np.float64) for place in range(len(baseline.bins))
    ]
    return [
        (table, stays)
        for table, stays in zip(tables, baseline.stays, strict=True)
        if int((table.sum(axis=0) > 0).sum()) > 1
    ]
