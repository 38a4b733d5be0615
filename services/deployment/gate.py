"""The gate: pure functions of paired counts. What passes, what is refused, and the reasons in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from shared.domain.pipeline import PromotionPolicy
from shared.domain.quality import MILLION
from shared.domain.trials import Paired, log_evidence

ALL = "all"
Verdict = Literal["better", "worse", "undecided"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on the challenger and why."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(slices: dict[str, Paired], policy: PromotionPolicy, phi: float = 1.0) -> Judgement:
    """Is the challenger proven better or worse than the champion, at the policy's odds, and does no slice suffer?

    The evidence is anytime-valid (`shared.domain.trials.log_evidence`): it may be looked at after every row.
    ``phi``: overdispersion of the losses, by which counts are discounted.
    """
    regressed = tuple(reason for name in sorted(slices) if (reason := _regression(name, slices[name], policy, phi)))
    if regressed:
        return Judgement("worse", regressed)
    whole = slices.get(ALL, Paired())
    bar = math.log(policy.odds)
    if _evidence(whole, phi) >= bar:
        return Judgement("better", (f"better at {policy.odds:g}:1 odds: {_tally(whole)}",))
    if _evidence(whole.swapped(), phi) >= bar:
        return Judgement("worse", (f"worse at {policy.odds:g}:1 odds: {_tally(whole)}",))
    return Judgement("undecided", (f"undecided at {policy.odds:g}:1 odds: {_tally(whole)}",))


def gain(trial: Paired) -> float:
    """Loss won back per labelled row: the champion's mean loss minus the challenger's (0 without rows)."""
    return (trial.champion_loss - trial.challenger_loss) / (MILLION * trial.n) if trial.n else 0.0


def _evidence(trial: Paired, phi: float) -> float:
    return log_evidence(trial.wins / phi, trial.losses / phi)


def _regression(name: str, trial: Paired, policy: PromotionPolicy, phi: float) -> str | None:
    """A named slice that got worse by more than the tolerance, beyond doubt."""
    if name == ALL or -gain(trial) <= policy.slice_tolerance:
        return None
    if _evidence(trial.swapped(), phi) < math.log(policy.odds):
        return None
    return f"slice {name} got worse: {_tally(trial)}"


def _tally(trial: Paired) -> str:
    return f"right where the other was wrong {trial.wins}:{trial.losses} in {trial.n} rows"
