"""CloudEvents in batch mode: a JSON array of events that carry one row each."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from services.ingestion.formats._json import loads, rows_of_objects
from services.ingestion.formats._limits import check_rows
from services.ingestion.formats.cloudevents import EVENT, NOT_ONE, problem_of
from services.ingestion.formats.json_array import originals
from services.ingestion.raw import DeadRow, RawRows, UnreadableBody
from services.ingestion.registry import Format

EVENTS = "application/cloudevents-batch+json"


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    events = loads(body)
    if not isinstance(events, list):
        raise UnreadableBody("unreadable", "the body is no JSON array of events")
    check_rows(len(events), wanted)
    dead = [DeadRow(row, *why) for row, event in enumerate(events) if (why := _wrong(event))]
    lost = {each.row for each in dead}
    numbers = [row for row in range(len(events)) if row not in lost]
    rows = [events[row]["data"] for row in numbers]
    return rows_of_objects(rows, numbers, wanted, originals(body, len(events)), media_type=EVENT, dead=dead)


def _wrong(event: Any) -> tuple[str, str] | None:
    """Reason and sentence for an event that is none, or carries no row."""
    problem = problem_of(event)
    if problem:
        return NOT_ONE, problem
    return None if isinstance(event.get("data"), dict) else ("not-an-object", "the event carries no JSON object")


FORMAT = Format("CloudEvents batch", (EVENTS,), read)
