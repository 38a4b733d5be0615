"""``driftloop apply``: put a pipeline file into force on the running system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.cli.errors import UserError
from services.cli.options import REFUSED, NoWait, Url


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Pipeline file; it names the pipeline.")],
    model: Annotated[
        Path | None, typer.Option(metavar="FILE.skops", help="A model to serve a new pipeline from the start.")
    ] = None,
    url: Url = None,
    no_wait: NoWait = False,
) -> None:
    """Put a pipeline file into force: a new pipeline begins, a known one goes on under the new file.

    Prints the ledger's answer; exit code 1 if it is a refusal.
    """
    from services.cli.asking import give
    from services.cli.usable import check_usable
    from shared.domain.pipeline_file import read_pipeline

    described = read_pipeline(file)
    check_usable(described)
    text, champion = file.read_bytes(), _read(model)
    if not give(
        described.name,
        "apply",
        lambda doors, _: doors.apply(described.name, text, champion),
        url=url,
        wait=not no_wait,
    ):
        raise typer.Exit(REFUSED)


def _read(model: Path | None) -> bytes | None:
    if model is None:
        return None
    try:
        return model.read_bytes()
    except OSError as error:
        raise UserError(f"{model}: can't be read: {error.strerror}") from None
