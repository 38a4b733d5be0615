"""``driftloop retrain``: ask for a training now."""

from __future__ import annotations

import typer

from services.cli.options import REFUSED, Name, NoWait, Url


def command(name: Name, url: Url = None, no_wait: NoWait = False) -> None:
    """Ask for a candidate now, trained on the rows that policy picks; a brake may refuse.

    Prints the ledger's answer; exit code 1 if it is a refusal.
    """
    from services.cli.asking import order

    if not order(name, "retrain", {}, url=url, wait=not no_wait):
        raise typer.Exit(REFUSED)
