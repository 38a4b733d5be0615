"""What the OpenAPI document says about bodies and answers. For people and generators: nothing is checked by it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, Field

from shared.access.problems import PROBLEM, TYPE

ABOUT = """\
Records, labels, pipeline files and commands go in here.

* A 202 comes after the broker has acknowledged what was sent: from then on it can't be lost.
* With an `Idempotency-Key` (or a CloudEvent's `ce-source` and `ce-id`) a request may be repeated until it is answered,
  and counts once.
* Bodies may be packed (`Content-Encoding: gzip` or `zstd`).
* Every refusal is a problem document (RFC 9457).
"""

Name = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]{0,62}$", description="The pipeline's name.")]

Document = dict[str, Any]


class RowProblem(BaseModel):
    """A row that was set aside, and why."""

    row: int = Field(description="Its place in the delivery, from 0.")
    reason: str
    message: str


class Report(BaseModel):
    """What became of a delivery."""

    batch: str = Field(description="The delivery's id, derived from its key.")
    received: int
    accepted: int
    dead: int = Field(description="Rows that don't fit the contract's types; they lie in `records.dead`.")
    ignored_columns: int = Field(description="Columns that the contract does not know.")
    ids: list[str] = Field(description="Ids of the accepted rows, in order; late labels name them.")
    problems: list[RowProblem] = Field(description="The first of the dead rows.")


class CommandTaken(BaseModel):
    """A command on its way; what became of it is told in the ledger under this id."""

    command: str
    pipeline: str
    type: str


class FileTaken(CommandTaken):
    """A pipeline file on its way."""

    file: str = Field(description="Digest of the file: the pipeline's version.")
    model: str | None = None


class ModelTaken(BaseModel):
    """A stored model."""

    model: str = Field(description="Digest, for `PUT /v1/pipelines/{name}?model=`.")
    task: str
    columns: list[str]


class StandingShown(BaseModel):
    """How a pipeline stands."""

    pipeline: str
    as_of: str
    age_seconds: float
    ledger_offset: int = Field(description="Everything in the ledger before this is in it.")
    standing: dict[str, Any]


class StandingsShown(BaseModel):
    """All of them."""

    pipelines: list[StandingShown]


class ProblemShown(BaseModel):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="Cause and cure.")
    reason: str = Field(description="The code of the cause, also the end of `type`.")
    error: str = Field(description="The detail again, under the name that the Open Inference Protocol uses.")


WHY = {
    400: "The body can't be read as what it says it is.",
    401: "No token, or an unknown one.",
    403: "The token is not good for this.",
    404: "There is no pipeline of this name.",
    408: "The body came too slowly.",
    409: "The contract's labels arrive inline.",
    413: "Too large, as sent or unpacked, or too many rows.",
    415: "A content type or encoding that is not read here.",
    422: "No row fits the contract; the key came before with another body; or a mistake in a command, file or name.",
    429: "Too much is waiting. Nothing was taken; try again after `Retry-After`.",
    503: "Not answered in time: whether it was taken is unknown. Repeat it under the same key.",
}
DELIVERY = (400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503)
ASKED = (400, 401, 403, 404, 408, 413, 415, 422, 429, 503)
STORED = (401, 403, 408, 413, 415, 422, 429)
LOOKED = (401, 403, 503)


def refusals(*statuses: int) -> dict[int | str, Document]:
    return {status: {"description": WHY[status], "content": {PROBLEM: {"schema": _PROBLEM}}} for status in statuses}


_PROBLEM: Document = {
    **ProblemShown.model_json_schema(),
    "example": {
        "type": f"{TYPE}no-pipeline",
        "title": "No pipeline",
        "status": 404,
        "detail": "there is no pipeline of this name yet: apply its file first",
        "reason": "no-pipeline",
        "error": "there is no pipeline of this name yet: apply its file first",
    },
}
KEY: Document = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repetition under the same key counts once, and within a day gets the first one's answer "
    "(`Idempotency-Replayed: true`).",
    "schema": {"type": "string", "maxLength": 255},
    "example": "0b2f1c3e-6f0a-4b7e-9a55-0d8e1a0f6c11",
}
ROW = {"crate": "c-1041", "pressure_bar": 2.41, "stops": 0, "product": "cola", "cleaned": True}
ANOTHER = {"crate": "c-1042", "pressure_bar": 2.44, "stops": 2, "product": "soda", "cleaned": False}
LABEL, OTHER_LABEL = {"crate": "c-1041", "quality": "ok"}, {"crate": "c-1042", "quality": "leaking"}
PIPELINE_FILE = """\
name: bottling-plant
contract:
  record_id: crate
  features:
    - {name: pressure_bar, kind: number, minimum: 0}
    - {name: stops, kind: integer}
    - {name: product, kind: category, allowed: [cola, soda]}
    - {name: cleaned, kind: boolean}
  label: {name: quality, arrives: late}
window: 1000
"""


def _event(number: int, data: Document) -> Document:
    return {"specversion": "1.0", "id": str(number), "source": "/plant/line-1", "type": "crate.filled", "data": data}


def _rows(first: Document, second: Document) -> Document:
    """A delivery of two rows in every form that has text."""
    header, values = ",".join(first), [",".join(str(value) for value in row.values()) for row in (first, second)]
    objects = {
        "object": {"summary": "one row", "value": first},
        "array": {"summary": "rows", "value": [first, second]},
        "columns": {"summary": "columns: the cheapest JSON", "value": {n: [first[n], second[n]] for n in first}},
    }
    anything: Document = {"schema": {}}
    binary: Document = {"schema": {"type": "string", "format": "binary"}}
    content = {
        "application/json": {"schema": {"oneOf": [{"type": "object"}, {"type": "array"}]}, "examples": objects},
        "application/x-ndjson": {"schema": {"type": "string"}, "example": f"{_line(first)}\n{_line(second)}\n"},
        "text/csv": {"schema": {"type": "string"}, "example": "\n".join([header, *values]) + "\n"},
        "application/vnd.apache.arrow.stream": binary,
        "application/vnd.apache.parquet": binary,
        "application/cloudevents+json": {**anything, "example": _event(1, first)},
        "application/cloudevents-batch+json": {**anything, "example": [_event(1, first), _event(2, second)]},
    }
    return {"requestBody": {"required": True, "content": content}, "parameters": [KEY]}


def _line(row: Document) -> str:
    import orjson

    return orjson.dumps(row).decode()


RECORDS = _rows(ROW, ANOTHER)
LABELS = _rows(LABEL, OTHER_LABEL)
FIELDS: Document = {
    "parameters": [KEY],
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "examples": {
                    "none": {"summary": "pause, resume, retrain, rollback", "value": {}},
                    "approve": {"value": {"version": "1f0d3e2a-5c1b-5a77-8a3e-2f6f0e0d9b10"}},
                    "clear-fault": {"value": {"fault": "7f3c9a54-0a53-5bd6-9f1e-6a0d5b6c2e11"}},
                },
            }
        },
    },
}
FILE: Document = {
    "parameters": [KEY],
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}, "example": PIPELINE_FILE},
            "application/json": {"schema": {"type": "object"}},
        },
    },
}
MODEL: Document = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
