"""``driftloop status``: how things stand in a folder, or in the running system."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.errors import UserError
from services.cli.options import AsJson, OfRunning, Url, refuse_both


def command(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder of a run, demo or backtest.")] = None,
    pipeline: OfRunning = None,
    every: Annotated[bool, typer.Option("--all", help="Every pipeline of the running system.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show the champion, its generation, open episodes and faults, unfinished jobs, and the quality so far."""
    if pipeline is None and not every:
        found = _of_folder(folder)
        _tell([found], found, as_json)
        return
    from services.cli.standings import standings

    refuse_both(folder)
    if every and pipeline is not None:
        raise UserError("--all and --pipeline exclude each other")
    stands = standings(pipeline, url)
    documents = [stand.as_json() for stand in stands]
    _tell([stand.lines for stand in stands], documents if every else documents[0], as_json)


def _tell(found: Sequence[Mapping[str, str]], document: object, as_json: bool) -> None:
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
        return
    for place, lines in enumerate(found):
        if place:
            print()
        _print(lines)


def _print(lines: Mapping[str, str]) -> None:
    width = max(len(name) for name in lines)
    for name, value in lines.items():
        print(f"{name:<{width}}  {value}")


def _of_folder(folder: Path | None) -> dict[str, str]:
    from services.cli.history import folder_or_default, history
    from services.cli.standing import standing

    place = folder_or_default(folder)
    return standing(history(place).events) | _quality(place)


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
