"""A JSON array of objects: one row each."""

from __future__ import annotations

import json
from collections.abc import Collection

from services.ingestion.formats._json import JSON, loads, rows_of_objects
from services.ingestion.raw import RawRows, UnreadableBody
from services.ingestion.registry import Format

WHITESPACE = " \t\r\n"


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    rows = loads(body)
    if not isinstance(rows, list):
        raise UnreadableBody("unreadable", "the body is no JSON array")
    return rows_of_objects(rows, range(len(rows)), wanted, lambda row: element(body, row))


def element(body: bytes, place: int) -> bytes:
    """The bytes of one element, as they were sent. Only dead rows pay for this second look."""
    text = body.decode()
    decoder = json.JSONDecoder()
    start = text.index("[") + 1
    for _ in range(place):
        _, stop = decoder.raw_decode(text, _next(text, start))
        start = text.index(",", stop) + 1
    start = _next(text, start)
    return text[start : decoder.raw_decode(text, start)[1]].encode()


def _next(text: str, start: int) -> int:
    while text[start] in WHITESPACE:
        start += 1
    return start


FORMAT = Format("JSON array", (JSON,), read, lambda body: body.lstrip().startswith(b"["))
