"""CloudEvents in batch mode: a JSON array of events that carry one row each."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from services.ingestion.formats._json import loads, rows_of_objects
from services.ingestion.formats.cloudevents import EVENT
from services.ingestion.formats.json_array import originals
from services.ingestion.raw import DeadRow, RawRows, UnreadableBody
from services.ingestion.registry import Format

EVENTS = "application/cloudevents-batch+json"


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    events = loads(body)
    if not isinstance(events, list):
        raise UnreadableBody("unreadable", "the body is no JSON array of events")
    dead = [DeadRow(row, "not-an-object", "the event carries no JSON object")
            for row, event in enumerate(events) if not _carries_row(event)]  # fmt: skip
    numbers = [row for row, event in enumerate(events) if _carries_row(event)]
    rows = [events[row]["data"] for row in numbers]
    return rows_of_objects(rows, numbers, wanted, originals(body, len(events)), media_type=EVENT, dead=dead)


def _carries_row(event: Any) -> bool:
    return isinstance(event, dict) and isinstance(event.get("data"), dict)


FORMAT = Format("CloudEvents batch", (EVENTS,), read)
