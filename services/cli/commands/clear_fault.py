"""``driftloop clear-fault``: say that the data are right again."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.options import REFUSED, Name, NoWait, Url


def command(
    name: Name,
    fault: Annotated[str, typer.Argument(metavar="FAULT", help="Fault, or the beginning of its id.")],
    url: Url = None,
    no_wait: NoWait = False,
) -> None:
    """Say that the data are right again: retraining may go on. The faulty rows stay out of training.

    'driftloop status --pipeline NAME' shows the open faults and the beginnings of their ids.

    Prints the ledger's answer; exit code 1 if it is a refusal.
    """
    from services.cli.asking import order

    if not order(name, "clear-fault", {"fault": fault}, url=url, wait=not no_wait):
        raise typer.Exit(REFUSED)
