"""``driftloop doctor``: what is wrong here, and how to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from services.cli.examination import Finding

UNWELL = 1


def command(
    place: Annotated[
        Path, typer.Argument(metavar="FILE|DIR", help="Pipeline file, project folder, or folder of a run.")
    ] = Path(),
    data: Annotated[Path | None, typer.Option(help="Recorded data that the pipeline file should fit.")] = None,
) -> None:
    """Check this machine, a pipeline file, its data and a run's folder; exit code 1 if something is wrong."""
    from services.cli.examination import examine

    findings = list(examine(place, data))
    for finding in findings:
        print(_line(finding))
    if not all(finding.well for finding in findings):
        raise typer.Exit(UNWELL)


def _line(finding: Finding) -> str:
    cure = "" if finding.well or not finding.cure else f" -> {finding.cure}"
    return f"{'ok   ' if finding.well else 'WRONG'}  {finding.what}{cure}"
