"""``driftloop explain``: why a version came to be, as a tree from the evidence to the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.options import OfRunning, chosen_history

if TYPE_CHECKING:
    from services.cli.explanation import Branch


def command(
    version: Annotated[str, typer.Argument(help="Version, or the beginning of its id.")],
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="Folder of a run, demo or backtest.")] = None,
    pipeline: OfRunning = None,
    card: Annotated[bool, typer.Option("--card", help="Print its model card (Markdown) instead of the tree.")] = False,
) -> None:
    """Explain a version: the drift behind it, the rows it learnt from, the gate's reasons, what labels said later."""
    from services.cli.explanation import explained

    past = chosen_history(folder, pipeline)
    if card:
        from services.cli.cards import card_of

        print(card_of(past, version), end="")
        return
    told = explained(past, version)
    print(told.words)
    for line in _lines(told.branches):
        print(line)


def _lines(branches: tuple[Branch, ...], margin: str = "") -> Iterator[str]:
    """The tree, whole lines: whoever cuts them to the terminal's width hides reasons."""
    for place, branch in enumerate(branches, 1):
        last = place == len(branches)
        yield f"{margin}{'└── ' if last else '├── '}{branch.words}"
        yield from _lines(branch.branches, f"{margin}{'    ' if last else '│   '}")
