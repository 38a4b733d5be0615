"""``driftloop timeline``: what happened, one line per fact."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.errors import UserError
from services.cli.live import event_line
from services.cli.options import AsJson, OfRunning, chosen_history

if TYPE_CHECKING:
    from services.cli.ledger import Told

MOMENT = 0.2
"""Seconds between two looks at what is new."""
Print = Callable[["Iterable[Told]"], None]


def command(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder of a run, demo or backtest.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also the steps on the way to each decision.")] = False,
    pipeline: OfRunning = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on telling what happens, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what happened, in words, one line per fact, with the row at which it was known.

    With --json: every event as it stands in the ledger, one JSON object a line.
    """
    tell = _raw if as_json else _in_words(everything)
    if follow:
        _follow(folder, pipeline, tell)
        return
    past = chosen_history(folder, pipeline)
    tell(zip(past.events, past.envelopes, strict=True))


def _follow(folder: Path | None, pipeline: str | None, tell: Print) -> None:
    from services.cli import running
    from services.cli.commands.run import stopped_by_signals
    from services.cli.ledger import LedgerTail
    from services.cli.options import refuse_both

    if pipeline is None:
        raise UserError("--follow goes with --pipeline NAME: a folder's ledger is told to its end")
    refuse_both(folder)
    stop = Flag()
    with running.opened_log() as log, stopped_by_signals(stop):
        tail = LedgerTail(log, pipeline, since_start=True)
        while not stop.is_set():
            tell(tail.fresh())
            stop.wait(MOMENT)


def _in_words(everything: bool) -> Print:
    from services.cli.words import Narrator

    narrator = Narrator()

    def tell(found: Iterable[Told]) -> None:
        for told in narrator.tell(event for event, _ in found):
            if everything or not told.routine:
                print(event_line(told.row, told.words), flush=True)

    return tell


def _raw(found: Iterable[Told]) -> None:
    from services.backtest.ledger_dump import dump

    for event, headers in found:
        print(*dump([event], [headers]), end="", flush=True)
