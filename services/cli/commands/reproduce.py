"""``driftloop reproduce``: train a version again from what was recorded, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.options import OfRunning, chosen_history

if TYPE_CHECKING:
    from services.cli.reproduction import Finding

DIFFERENT = 1


def command(
    version: Annotated[str, typer.Argument(help="Version, or the beginning of its id.")],
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder of a run or demo.")] = None,
    pipeline: OfRunning = None,
) -> None:
    """Train a version again from its recorded rows, file and seed; exit code 1 if the model differs."""
    from services.cli.reproduction import reproduced

    findings = reproduced(chosen_history(folder, pipeline), version)
    for finding in findings:
        print(_line(finding))
    if not all(finding.equal for finding in findings):
        raise typer.Exit(DIFFERENT)


def _line(finding: Finding) -> str:
    return f"{'equal' if finding.equal else 'DIFFERS'}: {finding.what}"
