"""The detector for autocorrelated streams: whole blocks (days, weeks) are what is exchangeable, not rows.

Each block's strangeness is its total variation from all blocks together, summed over the features.  The newest
block's randomised rank among all blocks is a conformal p-value (Vovk, Gammerman & Shafer 2005): exactly uniform if
blocks are exchangeable, and independent from block to block.  One Shiryaev-Roberts process takes it from there, at
threshold A (`evidence`).  There is one process rather than one per feature because a rank among n blocks is never
much stronger than 1/n: d A would be out of reach for months.

Blocks after a change soon outnumber ranks above them, so evidence must be gathered within a few blocks; with fewer
than about 20 earlier ones it can't be.  Until then the detector says it is not ready, and keeps silent.

At most `KEPT` blocks are remembered.  Beyond that a uniformly drawn one goes, the newest no less likely than the
others: the draw ignores which block is the newest, so the ranks stay uniform and independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from services.drift_detection.inputs.chain import padded, seeded_uniforms
from services.drift_detection.inputs.effects import effects_of, material_variation
from services.drift_detection.inputs.evidence import log_e_values, log_growth_of, threshold
from services.drift_detection.inputs.verdict import FeatureEvidence, InputVerdict
from shared.domain.baseline import Baseline
from shared.domain.pipeline import InputDriftPolicy
from shared.domain.profile import Profile

Counts = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]

WARM_UP = 20
"""Blocks before the first one that is ranked."""

KEPT = 256

RUNUP_TOLL = 0.5
"""As in record mode, but smaller: a rank among a few dozen blocks gives ln e of 1 to 1.5."""

_CELL = "<u4"


@dataclass(frozen=True, slots=True)
class BlockState:
    """What one generation's detector remembers.

    ``blocks``: counts of each kept block, and ``recent`` of all blocks since the suspected change ``start``, as
    little-endian unsigned 32-bit matrices of (features, widest number of slots).  The rest as in record mode.
    """

    stream: str
    seen: int
    blocks: tuple[bytes, ...]
    recent: bytes
    log_growth: float
    log_runup: float
    start: int


def begin_blocks(stream: str, baseline: Baseline) -> BlockState:
    """An empty detector. ``stream`` seeds the randomisation."""
    return BlockState(stream, 0, (), _pack(padded([(0,) * bins.size for bins in baseline.bins])), 0.0, 0.0, 0)


def update_blocks(
    state: BlockState, block: Profile, policy: InputDriftPolicy, baseline: Baseline, detectors: int = 1
) -> tuple[BlockState, InputVerdict]:
    """Add one block and judge; a block without an accepted row tells nothing and is passed over."""
    height = threshold(policy.false_alarm_epochs, 1, detectors)
    counts = padded([feature.counts for feature in block.features])
    if not counts.any():
        return state, _quiet(state, height)
    tie_break, lot = seeded_uniforms(2, state.stream, baseline.generation, block.epoch, "blocks")
    after = replace(state, seen=state.seen + 1, blocks=_kept(state.blocks, counts, lot))
    if state.seen < WARM_UP:
        return after, _quiet(after, height)
    bag = np.array([_unpack(each, counts.shape) for each in state.blocks] + [counts])
    strange = strangeness(bag)
    log_e = log_e_values(np.log([rank_p_value(strange.sum(axis=1), tie_break)]))
    log_sr = state.log_growth + log_e
    rising = state.log_runup > 0
    recent = counts + (_unpack(state.recent, counts.shape) if rising else 0)
    after = replace(
        after,
        recent=_pack(recent),
        log_growth=float(log_growth_of(log_sr)[0]),
        log_runup=max(state.log_runup + float(log_e[0]) - RUNUP_TOLL, 0.0),
        start=state.start if rising else block.epoch,
    )
    verdict = _quiet(after, height)
    if after.log_runup > 0 or float(log_sr[0]) >= height:
        verdict = _rising(verdict, after, bag, strange, policy=policy, baseline=baseline)
    return after, replace(verdict, alarm=bool(verdict.features) and float(log_sr[0]) >= height)


def strangeness(bag: Counts) -> Floats:
    """Total variation of every block from all blocks together, (blocks, features), from (blocks, features, slots).

    It treats all blocks alike, whatever their order; that is all the exactness of the rank asks for.
    """
    whole = bag.sum(axis=0)
    of_block = bag / np.maximum(bag.sum(axis=2, keepdims=True), 1)
    return np.asarray(np.abs(of_block - whole / np.maximum(whole.sum(axis=1, keepdims=True), 1)).sum(axis=2) / 2)


def rank_p_value(scores: Floats, uniform: float) -> float:
    """Share of scores above the newest (last) one, ties and the newest itself broken by ``uniform``."""
    above, level = (scores > scores[-1]).sum(), (scores == scores[-1]).sum()
    return float((above + uniform * level) / len(scores))


def _rising(
    verdict: InputVerdict,
    state: BlockState,
    bag: Counts,
    strange: Floats,
    *,
    policy: InputDriftPolicy,
    baseline: Baseline,
) -> InputVerdict:
    """The verdict while evidence builds up: since when, and which features moved by more than the minimum effect."""
    recent = _unpack(state.recent, bag.shape[1:])
    before = np.maximum(bag.sum(axis=0) - recent, 0)
    moved = [material_variation(*pair) for pair in zip(before, recent, strict=True)]
    named = sorted((j for j in range(len(moved)) if moved[j] >= policy.minimum_effect), key=lambda j: (-moved[j], j))
    return replace(
        verdict, change_epoch=state.start, features=tuple(_evidence(j, strange, recent, baseline) for j in named)
    )


def _evidence(feature: int, strange: Floats, recent: Counts, baseline: Baseline) -> FeatureEvidence:
    """The feature's own rank is taken without a lot: its worst case, ties against it."""
    log_e = log_e_values(np.log([rank_p_value(strange[:, feature], 1.0)]))
    bins = baseline.bins[feature]
    return FeatureEvidence(
        name=bins.feature,
        log_evidence=float(log_e[0]) / math.log(10),
        effects=effects_of(bins, baseline.features[feature], recent[feature][: bins.size]),
    )


def _quiet(state: BlockState, height: float) -> InputVerdict:
    return InputVerdict(
        alarm=False,
        evidence=state.log_growth / math.log(10),
        threshold=height / math.log(10),
        change_epoch=None,
        features=(),
        ready=state.seen > WARM_UP,
    )


def _kept(blocks: tuple[bytes, ...], newest: Counts, lot: float) -> tuple[bytes, ...]:
    bag = (*blocks, _pack(newest))
    out = int(lot * len(bag))
    return bag if len(bag) <= KEPT else bag[:out] + bag[out + 1 :]


def _pack(counts: Counts) -> bytes:
    return counts.astype(_CELL).tobytes()


def _unpack(data: bytes, shape: tuple[int, ...]) -> Counts:
    return np.frombuffer(data, _CELL).astype(np.int64).reshape(shape)
