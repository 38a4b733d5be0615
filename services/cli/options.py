"""Options that several commands have, and what they choose between."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.errors import UserError

if TYPE_CHECKING:
    from services.cli.history import History

OfRunning = Annotated[
    str | None, typer.Option("--pipeline", metavar="NAME", help="A pipeline of the running system, not a folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, and nothing else.")]
Url = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Ingestion's door; by default $DRIFTLOOP_URL, else http://localhost:8080."),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Send it, and don't wait for the ledger's answer.")]
LARGEST_SEED = 2**32 - 1
"""`shared.domain.pipeline.LARGEST_SEED`, which ``--help`` has no time to import."""
REFUSED = 1
"""Exit code where the answer is no."""
Name = Annotated[str, typer.Argument(metavar="NAME", help="The pipeline's name.")]


def chosen_history(folder: Path | None, pipeline: str | None) -> History:
    """A folder's history (the first of the usual ones where none is given), or that of a running pipeline."""
    from services.cli import running
    from services.cli.history import history
    from services.cli.ledger import ledger_history

    if pipeline is None:
        return history(folder)
    refuse_both(folder)
    with running.opened_log() as log:
        return ledger_history(log, pipeline, running.opened_blobs)


def refuse_both(folder: Path | None) -> None:
    """For a command that was told to look at the running system."""
    if folder is not None:
        raise UserError(
            f"{folder}: a folder and --pipeline exclude each other: look at a run, or at the running system"
        )
