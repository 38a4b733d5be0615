"""A JSON array of objects: one row each."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from functools import cache

from services.ingestion.formats._json import JSON, loads, rows_of_objects
from services.ingestion.raw import RawRows, UnreadableBody
from services.ingestion.registry import Format

WHITESPACE = " \t\r\n"


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    rows = loads(body)
    if not isinstance(rows, list):
        raise UnreadableBody("unreadable", "the body is no JSON array")
    return rows_of_objects(rows, range(len(rows)), wanted, originals(body, len(rows)))


def originals(body: bytes, count: int) -> Callable[[int], bytes]:
    """The bytes of an element, as they were sent.

    All are looked for at the first one that is asked for: a look for each would cost the square of their number.
    """
    sent = cache(lambda: _elements(body, count))
    return lambda row: sent()[row]


def _elements(body: bytes, count: int) -> list[bytes]:
    text = body.decode()
    decoder = json.JSONDecoder()
    stop, found = text.index("["), []
    for _ in range(count):
        start = _next(text, stop + 1)
        stop = decoder.raw_decode(text, start)[1]
        found.append(text[start:stop].encode())
        stop = _next(text, stop)
    return found


def _next(text: str, start: int) -> int:
    while text[start] in WHITESPACE:
        start += 1
    return start


FORMAT = Format("JSON array", (JSON,), read, lambda body: body.lstrip().startswith(b"["))
