"""``driftloop doctor``: what is wrong here, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.errors import UserError

if TYPE_CHECKING:
    from services.cli.examination import Finding

UNWELL = 1


def command(
    place: Annotated[
        Path | None, typer.Argument(metavar="FILE|DIR", help="Pipeline file, project folder, or folder of a run.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Recorded data that the pipeline file should fit.")] = None,
    running: Annotated[
        bool,
        typer.Option("--running", help="Check the running system instead: broker, topics, services, doors, blobs."),
    ] = False,
) -> None:
    """Check this machine, a pipeline file, its data and a run's folder; exit code 1 if something is wrong.

    With --running: that the broker answers and its topics are as declared, that no service stands still, that Redis and
    the doors answer, that the blobs in service are there, and that profiles outlive the oldest generation in use. Redis
    and blobs that are set nowhere and aren't here are noted, and not looked at.
    """
    well = True
    for finding in _findings(place, data, running):
        print(_line(finding), flush=True)
        well &= finding.well
    if not well:
        raise typer.Exit(UNWELL)


def _findings(place: Path | None, data: Path | None, running: bool) -> Iterator[Finding]:
    if not running:
        from services.cli.examination import examine

        return examine(place or Path(), data)
    if place is not None or data is not None:
        raise UserError("--running looks at the running system, which is no file and no folder: give it alone")
    from services.cli.checkup import examine_running

    return examine_running()


def _line(finding: Finding) -> str:
    cure = "" if finding.well or not finding.cure else f" -> {finding.cure}"
    word = "WRONG" if not finding.well else "ok   " if finding.seen else "note "
    return f"{word}  {finding.what}{cure}"
