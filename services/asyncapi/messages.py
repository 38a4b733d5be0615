"""Every type of message as an AsyncAPI message: headers, and what the value is."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from services.asyncapi import headers
from services.asyncapi.headers import Schema, reference
from shared.domain.rows import ID, POSITION, PREDICTED, SCORE
from shared.events.base import CATALOGUE, Event
from shared.events.data import (
    ARROW_BATCH,
    LABELS_INGESTED_V1,
    PREDICTIONS_MADE_V1,
    RECORD_REFUSED_V1,
    RECORDS_INGESTED_V1,
    RECORDS_VALIDATED_V1,
)
from shared.events.envelope import JSON
from shared.events.schemas import DIALECT, FOLDER
from shared.events.traffic import ROWS_OFFERED
from shared.events.validation import REASON_COLUMN

DRAFT = DIALECT.split("/")[-2]
"""Tuples are written with ``prefixItems``, which the default dialect (draft 7) does not know."""
STORED = "../" + "/".join(FOLDER.parts[-3:])
"""From `docs/` to the stored schemas."""

BODIES: Mapping[str, tuple[str, str]] = {
    RECORDS_INGESTED_V1: (
        "Typed rows",
        f"`{ID}`, the contract's features in their order, the event time where it is none of them, the label where it "
        "arrives inline.",
    ),
    RECORDS_VALIDATED_V1: (
        "Rows that keep the contract",
        f"`{POSITION}` (the row's place among all that its lane received; refused ones leave gaps), then as ingested.",
    ),
    LABELS_INGESTED_V1: ("Late labels", f"`{ID}` and the contract's label."),
    PREDICTIONS_MADE_V1: (
        "Predictions",
        f"`{ID}`, `{POSITION}`, `{PREDICTED}` and `{SCORE}`: for classes the probability of the predicted one.",
    ),
}
"""Title, and the columns."""


def messages() -> dict[str, Any]:
    """By type."""
    return dict(_messages())


def _messages() -> Iterator[tuple[str, Any]]:
    yield ROWS_OFFERED, _offer()
    for kind in BODIES:
        yield kind, _rows(kind)
    yield RECORD_REFUSED_V1, _letter()
    for kind in sorted(CATALOGUE):
        yield kind, _event(CATALOGUE[kind])


def _event(kind: type[Event]) -> dict[str, Any]:
    """Its value's schema is the stored one; what an event means is its class's docstring."""
    schema = {"$ref": f"{STORED}/{kind.type}.json"}
    return {
        **_message(kind.type, kind.__name__, first_paragraph(kind), headers.of_event(kind.type)),
        "contentType": JSON,
        "correlationId": reference("correlationIds", "trigger"),
        "payload": {"schemaFormat": f"application/schema+json;version=draft-{DRAFT}", "schema": schema},
    }


def _rows(kind: str) -> dict[str, Any]:
    title, columns = BODIES[kind]
    body = (
        "The body of one Arrow record batch (encapsulated message of the IPC format), without its schema, which is a "
        f"function of the pipeline file named by the header `file`. Columns: {columns}"
    )
    return {
        **_message(kind, title, f"{title}, as columns.", headers.of_rows(kind)),
        "contentType": ARROW_BATCH,
        "payload": _bytes(body),
    }


def _letter() -> dict[str, Any]:
    body = (
        "From ingestion the original bytes of one row, readable alone as the header `content-type` says; from "
        f"validation the refused rows as validated, with the broken rules in `{REASON_COLUMN}`; from a service that "
        "failed on a message, that message's value."
    )
    summary = "What was refused: the bytes, the place, the reason."
    return {
        **_message(RECORD_REFUSED_V1, "Dead letter", summary, headers.of_letter(RECORD_REFUSED_V1)),
        "payload": _bytes(body),
    }


def _offer() -> dict[str, Any]:
    body = "One row or many, in any format that ingestion reads over HTTP; what does not fit becomes a dead letter."
    return {
        **_message(ROWS_OFFERED, "Rows offered", "A delivery of rows by way of the log.", headers.of_offer()),
        "payload": _bytes(body),
    }


def _message(name: str, title: str, summary: str, described: Schema) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "summary": summary,
        "headers": described,
        "bindings": reference("messageBindings", "keyed"),
    }


def _bytes(description: str) -> Schema:
    return {"type": "string", "format": "binary", "description": description}


def first_paragraph(told: object) -> str:
    """Of a docstring, on one line."""
    return " ".join((inspect.getdoc(told) or "").split("\n\n", maxsplit=1)[0].split())
