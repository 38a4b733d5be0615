"""One JSON object: one row."""

from __future__ import annotations

from collections.abc import Collection

from services.ingestion.formats._json import COLUMNS, JSON, loads, rows_of_objects
from services.ingestion.raw import RawRows
from services.ingestion.registry import Format


def read(body: bytes, wanted: Collection[str]) -> RawRows:
    return rows_of_objects([loads(body)], [0], wanted, lambda _: body)


def claims(body: bytes) -> bool:
    return body.lstrip().startswith(b"{") and COLUMNS.match(body) is None


FORMAT = Format("JSON object", (JSON,), read, claims)
