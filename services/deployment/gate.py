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


def judge(slices: dict[str, Paired], policy: PromotionPolicy) -> Judgement:
    """Is the challenger proven better or worse than the champion, at the policy's odds, and does no slice suffer?

    The evidence is anytime-valid (`shared.domain.trials.log_evidence`): it may be looked at after every row.
    """
    regressed = tuple(reason for name in sorted(slices) if (reason := _regression(name, slices[name], policy)))
    if regressed:
        return Judgement("worse", regressed)
    whole = slices.get(ALL, Paired())
    bar = math.log(policy.odds)
    if log_evidence(whole.wins, whole.losses) >= bar:
        return Judgement("better", (f"better at {policy.odds:g}:1 odds: {_tally(whole)}",))
    if log_evidence(whole.losses, whole.wins) >= bar:
        return Judgement("worse", (f"worse at {policy.odds:g}:1 odds: {_tally(whole)}",))
    return Judgement("undecided", (f"undecided at {policy.odds:g}:1 odds: {_tally(whole)}",))


def gain(trial: Paired) -> float:
    """Loss won back per labelled row: the champion's mean loss minus the challenger's (0 without rows)."""
    return (trial.champion_loss - trial.challenger_loss) / (MILLION * trial.n) if trial.n else 0.0


def _regression(name: str, trial: Paired, policy: PromotionPolicy) -> str | None:
    """A named slice that got worse by more than the tolerance, beyond doubt."""
    if name == ALL or -gain(trial) <= policy.slice_tolerance:
        return None
    if log_evidence(trial.losses, trial.wins) < math.log(policy.odds):
        return None
    return f"slice {name} got worse: {_tally(trial)}"


def _tally(trial: Paired) -> str:
    return f"right where the other was wrong {trial.wins}:{trial.losses} in {trial.n} rows"
