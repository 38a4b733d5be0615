"""Who is who among the policies, and how each is called in a sentence."""

from __future__ import annotations

import re
from itertools import chain

from services.backtest.report.figures import whole
from services.backtest.report.measures import Measure
from services.backtest.result import BacktestResult, PolicyResult

LEFT_ALONE = ("never", "static", "none")
PHRASES = {
    "drift": "retraining on drift",
    "last-class": "repeating the last known label",
    "majority": "always guessing the commonest class",
    "mean": "always guessing the mean",
} | dict.fromkeys(LEFT_ALONE, "leaving the model alone")
DETECTOR = "detector:"
EVERY = re.compile(r"^(?:every|periodic|schedule|scheduled|volume)\W*([\d_,]+)$")


def main_policy(result: BacktestResult) -> PolicyResult:
    """The pipeline's own policy: the first one named ``drift``, else the first that uses a model, else the first."""
    named = (policy for policy in result.policies if policy.name == "drift")
    model = (policy for policy in result.policies if not trivial(policy))
    return next(chain(named, model), result.policies[0])


def left_alone(result: BacktestResult) -> PolicyResult | None:
    """The policy that never retrains, where it was run and is not the main one."""
    main = main_policy(result)
    return next((p for p in result.policies if p.name in LEFT_ALONE and p is not main), None)


def trivial(policy: PolicyResult) -> bool:
    """Whether the policy answers without a model: it trained nothing and decided nothing."""
    return not (policy.ledger or policy.retrainings or policy.train_seconds) and policy.name not in LEFT_ALONE


def rivals(result: BacktestResult) -> list[PolicyResult]:
    """The other policies that retrain a model."""
    known = {id(main_policy(result)), id(left_alone(result))}
    return [p for p in result.policies if id(p) not in known and not trivial(p)]


def best(policies: list[PolicyResult], measure: Measure) -> PolicyResult | None:
    """The best by the measure; of equal ones the first. Policies without labelled records do not count."""
    judged = [policy for policy in policies if policy.quality.n]
    sign = 1 if measure.higher_is_better else -1
    return max(judged, key=lambda policy: sign * measure.of(policy.quality), default=None)


def phrase(name: str) -> str:
    """The policy as the subject of a sentence."""
    every = EVERY.match(name)
    if every:
        return f"retraining every {whole(int(re.sub(r'[^0-9]', '', every[1]) or 0))} rows"
    if name.startswith(DETECTOR):
        return f"retraining whenever {name.removeprefix(DETECTOR)} alarms"
    return PHRASES.get(name, f"the policy “{name}”")


def in_display_order(result: BacktestResult) -> list[PolicyResult]:
    """The main policy first, the others as given."""
    main = main_policy(result)
    return [main, *(policy for policy in result.policies if policy is not main)]
