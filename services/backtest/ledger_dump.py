"""A ledger as NDJSON: one event a line, the same bytes for the same facts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.events.base import Event

MEASURED = frozenset({"measured_seconds"})
"""Fields that hold what a clock said; two runs that decided alike still differ in them."""

ENVELOPE = {"ce_time": "time", "ce_correlationid": "correlation", "ce_causationid": "causation"}


def dump(events: Iterable[Event], envelopes: Iterable[Mapping[str, str]] | None = None) -> Iterator[str]:
    """Lines (each with its newline) of ``{"type", "id", "data"}`` in ledger order, keys sorted.

    ``envelopes``: the headers of each event's message, one per event; their time, correlation and causation join the
    line. ValueError if there are more or fewer of them than events.
    """
    if envelopes is None:
        yield from (_line(_told(event)) for event in events)
        return
    for event, headers in zip(events, envelopes, strict=True):
        context = {name: headers[header] for header, name in ENVELOPE.items() if header in headers}
        yield _line(_told(event) | context)


def without_measurements(line: str) -> str:
    """The line without `MEASURED` fields, so that runs can be compared by their decisions."""
    told = json.loads(line)
    return _line(told | {"data": _unmeasured(told["data"])})


def _unmeasured(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _unmeasured(held) for name, held in value.items() if name not in MEASURED}
    return [_unmeasured(held) for held in value] if isinstance(value, list) else value


def _told(event: Event) -> dict[str, Any]:
    return {"type": event.type, "id": event.event_id, "data": event.model_dump(mode="json")}


def _line(told: dict[str, Any]) -> str:
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
