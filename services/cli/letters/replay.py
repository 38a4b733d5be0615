"""Repaired letters through ingestion's door, under the ids that their rows had: so each counts once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from services.cli.letters.repaired import Repaired
from services.cli.letters.rows import line
from services.cli.letters.sidecar import Sidecar
from services.ingestion.core import PROBLEMS_TOLD
from shared.events.base import derive_id

AT_ONCE = PROBLEMS_TOLD
"""Rows of one delivery: the answer tells of as many which of them died, and the count of replays is kept per row."""
MEDIA_TYPE = "application/x-ndjson"

Deliver = Callable[[str, bytes, str, str], Mapping[str, Any]]
"""(action, body, content type, key) -> ingestion's report."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one row. ``why``: why it died again, or stays; "" for one that was taken."""

    name: str
    why: str = ""
    batch: str = ""
    """The delivery that took it, or in which it died; "" where nothing was sent."""


def replay(rows: Iterable[Repaired], sidecar: Sidecar, folder: Path, deliver: Deliver) -> Iterator[Fate]:
    """Delivers what may go back, and keeps account in the sidecar after each delivery.

    Rows that are back already are passed over. Whatever ``deliver`` raises leaves the account as it was, and the same
    call made again is the same delivery.
    """
    due = [row for row in rows if not row.entry.done]
    for row in due:
        if row.entry.stays:
            yield Fate(row.name, row.entry.stays)
    able = sorted((row for row in due if not row.entry.stays), key=_kind)
    for (action, replayed), alike in groupby(able, key=_kind):
        for part in _parts(list(alike)):
            yield from _delivered(part, action, replayed + 1, sidecar, folder, deliver)


def content_type(number: int) -> str:
    """Tells ingestion that the rows bring their ids, and how often they have been put back with this time."""
    return f"{MEDIA_TYPE}; replay={number}"


def _kind(row: Repaired) -> tuple[str, int]:
    return row.entry.action, row.entry.replayed


def _parts(rows: Sequence[Repaired]) -> Iterator[Sequence[Repaired]]:
    """So many single rows at once; a whole delivery as a delivery of its own."""
    single = [row for row in rows if not row.entry.batch]
    yield from (single[first : first + AT_ONCE] for first in range(0, len(single), AT_ONCE))
    whole = (row for row in rows if row.entry.batch)
    yield from (list(letter) for _, letter in groupby(whole, key=lambda row: row.name))


def _delivered(
    part: Sequence[Repaired], action: str, number: int, sidecar: Sidecar, folder: Path, deliver: Deliver
) -> Iterator[Fate]:
    body = "".join(line(row.record) for row in part).encode()
    key = derive_id("replay", sidecar.pipeline, number, body.decode())
    report = deliver(action, body, content_type(number), key)
    fates = _fates(part, report)
    for fate in fates:
        # Of a whole delivery the rows that died are letters of their own now, and the others must not come again.
        back = not fate.why or (part[0].entry.batch and report["accepted"])
        done = fate.batch if back else ""
        sidecar.entries[fate.name] = replace(sidecar.entries[fate.name], replayed=number, done=done)
    sidecar.write(folder)
    yield from fates


def _fates(part: Sequence[Repaired], report: Mapping[str, Any]) -> list[Fate]:
    problems = {problem["row"]: f"{problem['reason']}: {problem['message']}" for problem in report["problems"]}
    if not part[0].entry.batch:
        return [Fate(row.name, problems.get(place, ""), report["batch"]) for place, row in enumerate(part)]
    first = next(iter(problems.values()), "")
    dead = f"{report['dead']} of {report['received']} rows died: {first}" if report["dead"] else ""
    return [Fate(part[0].name, dead, report["batch"])]
