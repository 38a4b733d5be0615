"""``driftloop timeline``: what happened, one line per fact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.live import event_line


def command(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder of a run, demo or backtest.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also the steps on the way to each decision.")] = False,
) -> None:
    """Tell what happened, in words, one line per fact, with the row at which it was known."""
    from services.cli.history import history
    from services.cli.words import Narrator

    for told in Narrator().tell(history(folder).events):
        if everything or not told.routine:
            print(event_line(told.row, told.words))
