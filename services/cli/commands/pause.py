"""``driftloop pause``: stop retraining."""

from __future__ import annotations

import typer

from services.cli.options import REFUSED, Name, NoWait, Url


def command(name: Name, url: Url = None, no_wait: NoWait = False) -> None:
    """Stop retraining until 'resume'. Validation and prediction go on.

    Prints the ledger's answer; exit code 1 if it is a refusal.
    """
    from services.cli.asking import order

    if not order(name, "pause", {}, url=url, wait=not no_wait):
        raise typer.Exit(REFUSED)
