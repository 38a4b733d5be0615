"""`summary.json`: a backtest's totals in a shape that other programs may rely on."""

from __future__ import annotations

from typing import Any

from services.backtest.result import BacktestResult, PolicyResult
from shared.domain.quality import classification_metrics, regression_metrics

CLASSIFICATION = ("accuracy", "kappa", "f1_macro")
REGRESSION = ("mae", "rmse")


def summary(result: BacktestResult) -> dict[str, Any]:
    """Data, sizes and one object per policy, in the order they were run.

    Quality is ``accuracy``, ``kappa`` and ``f1_macro``, or ``mae`` and ``rmse`` for regression; each is None where no
    labelled record came after the initial ones. ``alarms`` and ``data_faults`` are record indexes, from 0:
    the last record that had come in at the alarm, the first one of the first epoch that showed the fault.
    """
    return {
        "data": result.data,
        "records": result.records,
        "initial": result.initial,
        "label_delay": result.label_delay,
        "policies": [_policy(policy, result.task) for policy in result.policies],
    }


def _policy(policy: PolicyResult, task: str) -> dict[str, Any]:
    return {
        "name": policy.name,
        **_quality(policy, task),
        "retrainings": policy.retrainings,
        "promotions": policy.promotions,
        "rejections": policy.rejections,
        "rollbacks": policy.rollbacks,
        "alarms": list(policy.alarms),
        "data_faults": list(policy.data_faults),
        "train_seconds": policy.train_seconds,
        "wall_seconds": policy.wall_seconds,
    }


def _quality(policy: PolicyResult, task: str) -> dict[str, float | None]:
    if task == "regression":
        found = regression_metrics(policy.quality)
        return {name: found.get(name) for name in REGRESSION}
    found = classification_metrics(policy.quality)
    return {name: found.get(name) for name in CLASSIFICATION}
