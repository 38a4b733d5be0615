"""Columnar JSON, ``{"column": [values], …}``: the cheapest JSON to send and to read."""

from __future__ import annotations

from collections.abc import Collection

from services.ingestion.formats._json import COLUMNS, JSON, loads, rows_of_columns
from services.ingestion.raw import RawRows, UnreadableBody
from services.ingestion.registry import Format


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    document = loads(body)
    if not isinstance(document, dict):
        raise UnreadableBody("unreadable", "the body is no JSON object")
    return rows_of_columns(document, wanted)


FORMAT = Format("columnar JSON", (JSON,), read, lambda body: COLUMNS.match(body) is not None)
