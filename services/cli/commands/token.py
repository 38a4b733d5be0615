"""``driftloop token``: a bearer token, shown once, and the line that the doors' token file needs."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.errors import UserError

LONGEST = 64


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who will bear it; the doors' logs call them so.")],
    pipeline: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Pipelines it is good for, e.g. 'shop-*'; may be repeated.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it is good for: ingest, predict, command or read; may be repeated. Default: all."),
    ] = None,
) -> None:
    """Make a token. It is printed once and kept nowhere; the token file holds its hash."""
    from shared.access.tokens import SCOPES, Scope, issue, line_of

    if not 1 <= len(name) <= LONGEST:
        raise UserError(f"a token's name has 1 to {LONGEST} characters: the doors' logs show it")
    unknown = sorted(set(scope or ()) - set(SCOPES))
    if unknown:
        raise UserError(f"scope {unknown[0]!r}: there is none of this name; there are {', '.join(SCOPES)}")
    scopes: tuple[Scope, ...] = tuple(each for each in SCOPES if scope is None or each in scope)
    token, grant = issue(name, tuple(pipeline or ("*",)), scopes)
    print(f"token (shown once; give it to the bearer as DRIFTLOOP_TOKEN):\n{token}\n")
    print(f"line for the token file of the doors:\n{line_of(grant)}")
