"""The headers of each kind of message, as schemas. Header values are UTF-8 text, numbers too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.events.data import (
    ARROW_BATCH,
    FILE,
    LABELS_INGESTED_V1,
    PREDICTIONS_MADE_V1,
    REASON,
    RECORD_REFUSED_V1,
    RECORDS_INGESTED_V1,
    RECORDS_VALIDATED_V1,
)
from shared.events.envelope import JSON, TRACE, TRACEPARENT
from shared.runtime.advance import COVERED, TICKED, WRITER
from shared.runtime.partitions import LANE

Schema = dict[str, Any]
CORRELATION = "ce_correlationid"


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _number(description: str) -> Schema:
    return _text(description, pattern="^[0-9]+$")


CLOUDEVENT: Mapping[str, Schema] = {
    "ce_specversion": _text("Of CloudEvents.", const="1.0"),
    "ce_id": _text("Derived from what the message says: the same fact has the same id, said twice or replayed."),
    "ce_type": _text("Subject, action and major version."),
    "ce_source": _text("`driftloop/` and the pipeline.", format="uri-reference"),
    "ce_subject": _text("The pipeline."),
    "content-type": _text("Of the value."),
}
OPTIONAL: Mapping[str, Schema] = {
    "ce_time": _text("When the cause was appended.", format="date-time"),
    "ce_causationid": _text("Id of the message that led to this one, or its `topic/partition/offset`."),
    TRACEPARENT: _text(
        "W3C trace context of the delivery that led to this, handed on unchanged.", pattern=f"^{TRACE.pattern}$"
    ),
    WRITER: _text("The service whose core said this."),
    COVERED: _text("What that core had read, as `topic/partition=offset …`: enough to decide the same again."),
    TICKED: _text("The timer that led to this, as `name@milliseconds`."),
}
OWN: Mapping[str, Schema] = {
    FILE: _text("Digest of the pipeline file, whose contract implies the columns.", pattern="^[0-9a-f]{64}$"),
    "batch": _text("Id of the delivery that the rows came in."),
    "rows": _number("How many rows the value holds."),
    LANE: _number("The pipeline's lane."),
    "first": _number("Position of the first row received with this message, among all of its lane."),
    "last": _number("Position after the last row received with this message."),
    "version": _text("The model version that predicted."),
    "row": _number("Place of the row in its delivery."),
    "driftloop.action": _text("Which door it came through.", enum=["records", "labels"]),
    "driftloop.replayed": _number("How often the row had been put back when it was refused again."),
    REASON: _text("Why it was refused, as a code."),
    "__connect.errors.stage": _text("The service that refused it."),
    "__connect.errors.exception.class.name": _text("The class of the fault."),
    "__connect.errors.exception.message": _text("A sentence that quotes no record."),
    "__connect.errors.topic": _text(
        "The refused message's topic, by its name on the broker; absent for a delivery over HTTP."
    ),
    "__connect.errors.partition": _number("Its partition."),
    "__connect.errors.offset": _number("Its offset."),
}
"""By name, whatever message they are in. Kafka Connect's names are the ones that its tools read."""

ERRORS = "__connect.errors."
DELIVERED = (FILE, "batch", "rows", LANE)
RECEIVED = (*DELIVERED, "first", "last")
ALWAYS: Mapping[str, tuple[str, ...]] = {
    RECORDS_INGESTED_V1: DELIVERED,
    LABELS_INGESTED_V1: DELIVERED,
    RECORDS_VALIDATED_V1: RECEIVED,
    PREDICTIONS_MADE_V1: (*RECEIVED, "version"),
    RECORD_REFUSED_V1: (
        REASON, f"{ERRORS}stage", f"{ERRORS}exception.class.name", f"{ERRORS}exception.message",
    ),
}  # fmt: skip
"""A data message's own headers."""
SOMETIMES: Mapping[str, tuple[str, ...]] = {
    RECORD_REFUSED_V1: (
        *RECEIVED, "row", "driftloop.action", "driftloop.replayed",
        f"{ERRORS}topic", f"{ERRORS}partition", f"{ERRORS}offset",
    ),
}  # fmt: skip
"""Those that only some messages of a type have."""


def shared_schemas() -> dict[str, Schema]:
    """What several messages refer to, by name in ``components.schemas``."""
    correlation = _text("The episode, command or other trigger that this belongs to; absent where there is none.")
    return {
        "CloudEvent": {
            "type": "object",
            "description": "CloudEvents 1.0 in binary mode, and what every message of ours may carry.",
            "required": list(CLOUDEVENT),
            "properties": {**CLOUDEVENT, **OPTIONAL},
        },
        "Event": _refined("CloudEvent", {"content-type": {"const": JSON}, CORRELATION: correlation}),
        "Rows": _refined("CloudEvent", {"content-type": {"const": ARROW_BATCH}}),
    }


def of_event(kind: str) -> Schema:
    return _refined("Event", _is(kind))


def of_rows(kind: str) -> Schema:
    return _refined("Rows", _is(kind) | _own(ALWAYS[kind]), ALWAYS[kind])


def of_letter(kind: str) -> Schema:
    """The content is of whatever type was refused."""
    return _refined("CloudEvent", _is(kind) | _own((*ALWAYS[kind], *SOMETIMES[kind])), ALWAYS[kind])


def of_offer() -> Schema:
    """Nothing is required of producers."""
    properties = {
        "content-type": _text("Of the value; JSON where it is missing."),
        "idempotency-key": _text("Makes two attempts one. Without it the message's place does."),
        "ce_source": _text("With `ce_id`: the same, from those who speak CloudEvents."),
        "ce_id": _text("See `ce_source`."),
        TRACEPARENT: OPTIONAL[TRACEPARENT],
    }
    return {"type": "object", "properties": properties}


def _is(kind: str) -> dict[str, Schema]:
    return {"ce_type": {"const": kind}}


def _own(names: Iterable[str]) -> dict[str, Schema]:
    return {name: OWN[name] for name in names}


def _refined(shared: str, properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    schema = {"type": "object", "allOf": [reference("schemas", shared)], "properties": dict(properties)}
    return schema | ({"required": list(required)} if required else {})


def reference(kind: str, name: str) -> Schema:
    """To a component of the document."""
    return {"$ref": f"#/components/{kind}/{name}"}
