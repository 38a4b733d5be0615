"""What a backtest leaves behind: the report, the ledger and the summary; and what it says at the end."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.backtest.result import BacktestResult, PolicyResult

REPORT, LEDGER, SUMMARY = "report.html", "ledger.jsonl", "summary.json"


def summary_text(result: BacktestResult) -> str:
    from services.backtest.summary import summary

    return json.dumps(summary(result), indent=2) + "\n"


def write(result: BacktestResult, folder: Path) -> Path:
    """Writes the three files; returns the report's path."""
    from services.backtest.report import render

    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY).write_text(summary_text(result), "utf-8")
    with (folder / LEDGER).open("w", encoding="utf-8") as file:
        file.writelines(_ledger_lines(result.policies))
    report = folder / REPORT
    report.write_text(render(replace(result, importances=last_importances(result))), "utf-8")
    return report


def last_importances(result: BacktestResult) -> dict[str, float]:
    """What the main policy's last champion leans on; empty where no model was trained."""
    from services.backtest.report.policies import main_policy
    from shared.events.deployment import CandidatePromoted, PromotionRolledBack
    from shared.events.training import TrainingCompleted

    ledger = main_policy(result).ledger
    served = [e.to if isinstance(e, PromotionRolledBack) else e.version
              for e in ledger if isinstance(e, CandidatePromoted | PromotionRolledBack)]  # fmt: skip
    made = {e.version: e.importances for e in ledger if isinstance(e, TrainingCompleted)}
    return made.get(served[-1], {}) if served else {}


def conclusion(result: BacktestResult) -> str:
    """The outcome in words."""
    from services.backtest.report.headline import headline, support

    return " ".join([headline(result), *support(result)]).replace("\u00a0", " ")


def wrapped(text: str) -> str:
    """The text in lines of the terminal's width; in one where nobody looks at it."""
    return textwrap.fill(text, shutil.get_terminal_size().columns) if sys.stdout.isatty() else text


def print_table(result: BacktestResult) -> None:
    """Whole words and figures, however narrow the terminal is or seems to be."""
    rows = list(_rows(result))
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for name, *figures in rows:
        aligned = [text.rjust(width) for text, width in zip(figures, widths[1:], strict=True)]
        print("  ".join([name.ljust(widths[0]), *aligned]))


def _rows(result: BacktestResult) -> Iterator[list[str]]:
    from services.backtest.summary import summary

    names = ("mae", "rmse") if result.task == "regression" else ("accuracy", "kappa")
    yield ["policy", *names, "trained", "probes", "promoted", "undone", "alarms", "seconds"]
    for policy, ran in zip(summary(result)["policies"], result.policies, strict=True):
        figures = ["–" if policy[name] is None else f"{policy[name]:.4g}" for name in names]
        counts = [str(n) for n in (ran.retrainings, ran.probes, ran.promotions, ran.rollbacks)]
        yield [policy["name"], *figures, *counts, str(len(policy["alarms"])), f"{policy['wall_seconds']:.1f}"]


def _ledger_lines(policies: tuple[PolicyResult, ...]) -> Iterator[str]:
    """Each line names its policy where there are several ledgers."""
    from services.backtest.ledger_dump import dump

    kept = [policy for policy in policies if policy.ledger]
    for policy in kept:
        for line in dump(policy.ledger):
            yield line if len(kept) == 1 else _named(line, policy.name)


def _named(line: str, policy: str) -> str:
    told = json.loads(line) | {"policy": policy}
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
