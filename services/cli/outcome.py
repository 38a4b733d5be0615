"""What a backtest leaves behind: the report, the ledger and the summary; and what it says at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    report.write_text(render(result), "utf-8")
    return report


def conclusion(result: BacktestResult) -> str:
    """The outcome in words."""
    from services.backtest.report.headline import headline, support

    return " ".join([headline(result), *support(result)]).replace("\u00a0", " ")


def print_table(result: BacktestResult) -> None:
    from rich.console import Console
    from rich.table import Table

    head, *rows = _rows(result)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(head):
        table.add_column(name, justify="left" if place == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _rows(result: BacktestResult) -> Iterator[list[str]]:
    from services.backtest.summary import summary

    names = ("mae", "rmse") if result.task == "regression" else ("accuracy", "kappa")
    yield ["policy", *names, "trained", "promoted", "undone", "alarms", "seconds"]
    for policy in summary(result)["policies"]:
        figures = ["–" if policy[name] is None else f"{policy[name]:.4g}" for name in names]
        counts = [str(policy[name]) for name in ("retrainings", "promotions", "rollbacks")]
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
