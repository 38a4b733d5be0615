"""``driftloop replay``: repaired dead letters through the door again, under the same ids."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.options import Name, Url

if TYPE_CHECKING:
    from services.cli.letters.replay import Fate

NOT_ALL = 1
TOLD = 20


def command(
    name: Name,
    place: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="What 'dead-letters export' wrote, repaired.")],
    url: Url = None,
) -> None:
    """Put repaired letters back; each row keeps its id, so it counts once. Exit code 1 if not all were taken.

    A line or file that was removed stays a dead letter. A letter can be put back three times.
    """
    from services.cli import running
    from services.cli.letters.repaired import repaired
    from services.cli.letters.replay import replay
    from services.cli.waiting import STARTING

    folder, sidecar, rows = repaired(name, place)
    with running.opened_doors(url, seconds=STARTING) as doors:
        fates = list(replay(rows, sidecar, folder, lambda *what: doors.deliver(name, *what)))
    _tell(fates, len(rows))
    print(_audit(name, place, fates))
    if any(fate.why for fate in fates):
        raise typer.Exit(NOT_ALL)


def _tell(fates: list[Fate], rows: int) -> None:
    taken = [fate for fate in fates if not fate.why]
    died = [fate for fate in fates if fate.why and fate.batch]
    stay = [fate for fate in fates if fate.why and not fate.batch]
    before = rows - len(fates)
    print(f"taken {len(taken):,}, died again {len(died):,}, not sent {len(stay):,}, back before {before:,}")
    for fate in [*died, *stay][:TOLD]:
        print(f"  {fate.name}: {fate.why}")
    if len(died) + len(stay) > TOLD:
        print(f"  and {len(died) + len(stay) - TOLD:,} more")


def _audit(name: str, place: Path, fates: list[Fate]) -> str:
    """Who put back what, for the record that a team keeps of such things."""
    batches = ", ".join(dict.fromkeys(fate.batch for fate in fates if fate.batch)) or "none"
    taken = sum(not fate.why for fate in fates)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return f"audit: {now} {_who()} replayed {taken} of {len(fates)} from {place} into {name}; batches: {batches}"


def _who() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}@{socket.gethostname()}"
