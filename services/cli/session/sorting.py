"""Which lines are records and which are labels that come late, and the bytes that ingestion takes for each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from shared.domain.contract import Contract
from shared.domain.rows import ID

NDJSON, CSV = "application/x-ndjson", "text/csv"


@dataclass(frozen=True, slots=True)
class Sorted:
    """Bodies for ingestion; empty where there are none."""

    records: bytes
    labels: bytes = b""


def sort(lines: Iterable[bytes], contract: Contract) -> Sorted:
    """A line with the record's id and the label but no feature is a label, where labels arrive late."""
    if contract.label.arrives == "inline":
        return Sorted(b"\n".join(lines))
    records: list[bytes] = []
    labels: list[bytes] = []
    for line in lines:
        label = _label(line, contract)
        (records if label is None else labels).append(line if label is None else label)
    return Sorted(b"\n".join(records), b"\n".join(labels))


def _label(line: bytes, contract: Contract) -> bytes | None:
    """The line as ingestion wants a label; None for a record, and for what is no JSON object (ingestion says so)."""
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict) or contract.label.name not in told:
        return None
    if any(feature.name in told for feature in contract.features):
        return None
    known = next((name for name in (contract.record_id, "id", ID) if name and name in told), None)
    if known is None:
        return None
    wanted = contract.record_id or ID
    return orjson.dumps({wanted: str(told[known]), contract.label.name: told[contract.label.name]})
