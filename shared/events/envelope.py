"""Events to messages and back: CloudEvents 1.0, binary mode (attributes in headers, data in the value)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from shared.events.base import CATALOGUE, Event
from shared.runtime.core import Append, Message, Unit

JSON = "application/json"
TRACEPARENT = "traceparent"
"""Header: the W3C trace context (version 00) that a message belongs to, named as OpenTelemetry names it on Kafka."""
TRACE = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def to_append(topic: str, event: Event, cause: Message | None = None, *, correlation: str = "") -> Append:
    """The append of an event: ids and times come from the event and its cause, never from a clock.

    ``correlation`` is the episode (or other trigger) that the event belongs to.
    """
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event.event_id,
        "ce_type": event.type,
        "ce_source": f"driftloop/{event.pipeline}",
        "ce_subject": event.pipeline,
        "content-type": JSON,
    }
    if cause is not None:
        headers["ce_time"] = timestamp(cause.timestamp)
        headers["ce_causationid"] = cause.headers.get("ce_id", f"{cause.topic}/{cause.partition}/{cause.offset}")
        headers |= trace_headers(trace_of(cause.headers))
    if correlation:
        headers["ce_correlationid"] = correlation
    return Append(topic, Unit(event.pipeline), event.model_dump_json().encode(), headers)


def from_message(message: Message) -> Event | None:
    """The event in a message, or None for a type that this build does not know (a newer writer's)."""
    kind = CATALOGUE.get(message.headers.get("ce_type", ""))
    return None if kind is None else kind.model_validate_json(message.value)


def trace_of(headers: Mapping[str, str]) -> str:
    """The trace context in a message's headers, or "". What isn't one is dropped: it comes from outside."""
    found = headers.get(TRACEPARENT, "")
    return found if TRACE.fullmatch(found) else ""


def trace_headers(trace: str) -> dict[str, str]:
    """Handed on as it came. A span of our own would need an id by chance, and a replay has to say the same again."""
    return {TRACEPARENT: trace} if trace else {}


def timestamp(milliseconds: int) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
