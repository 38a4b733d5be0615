"""``driftloop approve``: promote the version that waits for approval."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.options import REFUSED, Name, NoWait, Url


def command(
    name: Name,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Version, or the beginning of its id.")],
    url: Url = None,
    no_wait: NoWait = False,
) -> None:
    """Promote the version that waits for a person's approval; an approval is good for it alone, and once.

    Prints the ledger's answer; exit code 1 if it is a refusal.
    """
    from services.cli.asking import order

    if not order(name, "approve", {"version": version}, url=url, wait=not no_wait):
        raise typer.Exit(REFUSED)
