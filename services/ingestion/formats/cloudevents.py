"""One CloudEvent in structured mode: its data is a row, a list of rows, columns, or a body of another media type."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from services.ingestion.formats._json import JSON, loads, rows_of_value
from services.ingestion.raw import RawRows, UnreadableBody
from services.ingestion.registry import Format, media_type, read_rows

EVENT = "application/cloudevents+json"
REQUIRED = ("specversion", "id", "source", "type")


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    event = loads(body)
    rows = rows_of_event(event, wanted)
    return dataclasses.replace(rows, key=f"{event['source']}#{event['id']}")


def rows_of_event(event: Any, wanted: Collection[str]) -> RawRows:
    """Raw rows of a decoded event; `UnreadableBody` if it is none, or of an unknown specification version."""
    _check(event)
    content_type = str(event.get("datacontenttype", JSON))
    if "data_base64" in event:
        return _inner(content_type, base64.b64decode(event["data_base64"], validate=True), wanted)
    data = event.get("data")
    if data is None:
        raise UnreadableBody("empty", "the event has no data")
    if isinstance(data, str):
        return _inner(content_type, data.encode(), wanted)
    return rows_of_value(data, wanted)


def _check(event: Any) -> None:
    missing = [name for name in REQUIRED if name not in event] if isinstance(event, Mapping) else list(REQUIRED)
    if missing:
        raise UnreadableBody("not-a-cloudevent", f"the event has no {', '.join(missing)}")
    if event["specversion"] != "1.0":
        raise UnreadableBody("not-a-cloudevent", "only CloudEvents of specversion 1.0 are read")


def _inner(content_type: str, body: bytes, wanted: Collection[str]) -> RawRows:
    if media_type(content_type).startswith("application/cloudevents"):
        raise UnreadableBody("unreadable", "an event inside an event is not read")
    return read_rows(content_type, body, wanted)


FORMAT = Format("CloudEvent", (EVENT,), read)
