"""One CloudEvent in structured mode: its data is a row, a list of rows, columns, or a body of another media type."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Collection, Mapping
from typing import Any

from services.ingestion.formats._json import JSON, loads, rows_of_value
from services.ingestion.raw import RawRows, UnreadableBody
from services.ingestion.registry import Format, media_type, read_rows

EVENT = "application/cloudevents+json"
NOT_ONE = "not-a-cloudevent"
REQUIRED = ("specversion", "id", "source", "type")
INSTANT = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
"""RFC 3339, 5.6: a leap second is one, a day without a zone is none."""


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    event = loads(body)
    rows = rows_of_event(event, wanted)
    return dataclasses.replace(rows, key=f"{event['source']}#{event['id']}")


def rows_of_event(event: Any, wanted: Collection[str]) -> RawRows:
    """Raw rows of a decoded event; `UnreadableBody` if it is none, or of an unknown specification version."""
    problem = problem_of(event)
    if problem:
        raise UnreadableBody(NOT_ONE, problem)
    content_type = str(event.get("datacontenttype", JSON))
    if "data_base64" in event:
        return _inner(content_type, base64.b64decode(event["data_base64"], validate=True), wanted)
    data = event.get("data")
    if data is None:
        raise UnreadableBody("empty", "the event has no data")
    if isinstance(data, str):
        return _inner(content_type, data.encode(), wanted)
    return rows_of_value(data, wanted)


def problem_of(event: Any) -> str | None:
    """What makes this no event of the specification, alone or in a batch, told without a value of it."""
    if not isinstance(event, Mapping):
        return "an event is a JSON object"
    missing = [name for name in REQUIRED if not isinstance(event.get(name), str) or not event[name]]
    if missing:
        return f"the event has no {', '.join(missing)}: each has to be text, and not empty"
    if event["specversion"] != "1.0":
        return "only CloudEvents of specversion 1.0 are read"
    time = event.get("time")
    known = time is None or (isinstance(time, str) and INSTANT.fullmatch(time))
    return None if known else "the event's time is no RFC 3339 time"


def _inner(content_type: str, body: bytes, wanted: Collection[str]) -> RawRows:
    if media_type(content_type).startswith("application/cloudevents"):
        raise UnreadableBody("unreadable", "an event inside an event is not read")
    return read_rows(content_type, body, wanted)


FORMAT = Format("CloudEvent", (EVENT,), read)
