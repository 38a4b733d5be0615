"""A pipeline's `History`, and how it is read back from the folder of a run, demo or backtest.

That of the running system is read by `services.cli.ledger`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from services.backtest.ledger_dump import ENVELOPE
from services.backtest.report.stories import Job, Story, chronicle
from services.cli.errors import UserError
from services.cli.outcome import LEDGER
from services.cli.words import brief
from shared.adapters.files import FileBlobs
from shared.events.base import CATALOGUE, Event
from shared.events.training import TrainingCompleted
from shared.runtime.ports import Blobs

FOLDERS = ("driftloop-run", "driftloop-demo", "driftloop-out")
"""Where `run`, `demo` and `backtest` write by default, in the order in which a command looks."""
OWN_POLICY = "drift"


@dataclass(frozen=True, slots=True)
class History:
    """The events of one pipeline's ledger, in order, wherever it is kept."""

    place: str
    """Where, in words: a folder, or the running system."""
    events: tuple[Event, ...]
    envelopes: tuple[Mapping[str, str], ...]
    """The headers of each event's message."""
    open_blobs: Callable[[], Blobs]
    """Models, rows and pipeline files. UserError where they can't be reached from here."""
    torn: bool = False
    """Whether the ledger's last line was cut off, as a killed run may leave it; it is no event."""

    def trained(self, prefix: str) -> TrainingCompleted:
        """The version whose id begins so; UserError if there is none, or more than one."""
        versions = {event.version: event for event in self.events if isinstance(event, TrainingCompleted)}
        found = [event for version, event in versions.items() if version.startswith(prefix)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(brief(version) for version in versions) or "none"
        if not found:
            raise UserError(f"version {prefix!r}: {self.place} has none that begins so; there are {known}")
        raise UserError(f"version {prefix!r}: {len(found)} versions begin so ({known}); give more of it")

    def story(self, version: TrainingCompleted) -> tuple[Story, Job]:
        """All that the version's cause brought about, and the job that trained it."""
        told = chronicle(self.events, getattr(self.events[-1], "row", 0))
        stories = [episode.story for episode in told.episodes] + list(told.others)
        found = ((s, j) for s in stories for j in s.jobs if j.completed and j.completed.version == version.version)
        return next(found)


def folder_or_default(folder: Path | None) -> Path:
    """The folder given, or the first of the usual ones that holds a ledger."""
    if folder is not None:
        return folder
    there = [Path(name) for name in FOLDERS if (Path(name) / LEDGER).is_file()]
    if not there:
        raise UserError(
            f"which folder? None of {', '.join(FOLDERS)} is here; give the one that a run was written to, "
            "or --pipeline NAME for the running system"
        )
    return there[0]


def history(folder: Path | None) -> History:
    """UserError for a folder without a ledger, and for a ledger that is damaged: which line, and what it lacks.

    A last line that is cut off is left out, and said to be: the run was killed while it wrote.
    """
    place = folder_or_default(folder)
    path = place / LEDGER
    if not path.is_file():
        raise UserError(f"{place}: holds no {LEDGER}; give the folder that a run, demo or backtest was written to")
    lines, torn = _whole_lines(path.read_bytes())
    if torn:
        print(f"note: {path}: the last line is cut off, as when a run is killed; it is left out", file=sys.stderr)
    told = [_parsed(line, path, number) for number, line in enumerate(lines, 1)]
    policies = [line["policy"] for line in told if "policy" in line]
    if policies:
        chosen = OWN_POLICY if OWN_POLICY in policies else policies[0]
        told = [line for line in told if line.get("policy") == chosen]
    if not told:
        raise UserError(f"{path}: is empty: nothing has happened yet")
    events = tuple(_events(told, path))
    return History(str(place), tuple(e for e, _ in events), tuple(e for _, e in events), partial(_kept, place), torn)


def _whole_lines(content: bytes) -> tuple[list[str], bool]:
    """The lines that were written whole, and whether there is a rest without an end that is no event."""
    *whole, rest = content.split(b"\n")
    lines = [line.decode("utf-8", "replace") for line in whole]
    if not rest:
        return lines, False
    try:
        json.loads(rest)
    except ValueError:
        return lines, True
    return [*lines, rest.decode("utf-8")], False


def _parsed(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        raise UserError(f"{path}: line {number} is not JSON; was the file cut off?") from None
    if not isinstance(told, dict) or not {"type", "data"} <= told.keys():
        raise UserError(f"{path}: line {number} is no ledger event: it lacks 'type' or 'data'")
    return told


def _kept(folder: Path) -> Blobs:
    root = folder / "blobs"
    if not root.is_dir():
        raise UserError(f"{folder}: keeps no models and no rows, as a backtest does not; use a run or a demo")
    return FileBlobs(root)


def _events(told: list[dict[str, Any]], path: Path) -> Iterator[tuple[Event, Mapping[str, str]]]:
    """Events of types that this build knows; a newer build's others are passed over, as every reader does."""
    for line in told:
        kind = CATALOGUE.get(line["type"])
        if kind is not None:
            try:
                yield kind.model_validate(line["data"]), _envelope(line)
            except ValidationError as error:
                place = ".".join(str(part) for part in error.errors()[0]["loc"])
                raise UserError(f"{path}: an event of type {line['type']} is damaged at {place!r}") from error


def _envelope(line: Mapping[str, Any]) -> dict[str, str]:
    """The headers that a line was written with."""
    return {header: line[name] for header, name in ENVELOPE.items() if name in line}
