"""``driftloop status``: how things stand in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder of a run, demo or backtest.")] = None,
) -> None:
    """Show the champion, its generation, open episodes and faults, unfinished jobs, and the quality so far."""
    from services.cli.history import history
    from services.cli.standing import standing

    past = history(folder)
    lines = standing(past.events) | _quality(past.folder)
    width = max(len(name) for name in lines)
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")


def _quality(folder: Path) -> dict[str, str]:
    """What `run` keeps in status.json, or the drift policy's line of a backtest's summary."""
    status, summary = folder / "status.json", folder / "summary.json"
    if status.is_file():
        told = json.loads(status.read_text("utf-8"))
        counts = f"{told['rows']:,} records, {told['labels']:,} labelled, {told['dead']:,} refused"
        return {"received": counts, "quality": _figures(told["quality"])}
    if summary.is_file():
        policies = json.loads(summary.read_text("utf-8"))["policies"]
        own = next((policy for policy in policies if policy["name"] == "drift"), policies[0])
        return {"quality": _figures({name: own.get(name) for name in ("accuracy", "kappa", "mae", "rmse")})}
    return {}


def _figures(quality: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in quality.items() if value is not None) or "not known yet"
