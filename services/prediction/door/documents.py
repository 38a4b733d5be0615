"""What the OpenAPI document says about this door. For people and generators: nothing is checked by it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, Field

from shared.access.problems import PROBLEM

ABOUT = """\
The Open Inference Protocol, version 2: a pipeline is a model, and its champion's id is the version.

* One tensor per feature of the contract, shape `[n]` or `[n, 1]`; `null` stands for a missing value.
* The rows go on into the pipeline's stream, unless `parameters` say `{"log": false}`. The answer's `logged` tells
  whether they are on their way; its output `_id` names them, for labels that come later.
* An `Idempotency-Key`, or the same `id` with the same body, makes two attempts count once in the stream.
* Every refusal is a problem document (RFC 9457), with the protocol's `error` in it.
"""
Name = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]{0,62}$", description="The pipeline's name.")]
Version = Annotated[str, Path(max_length=64, description="The champion's id: no other version is served.")]

Document = dict[str, Any]


class Server(BaseModel):
    """Who answers."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Whether the process answers."""

    live: bool


class Ready(BaseModel):
    """Whether what is served is known."""

    ready: bool


class ModelReady(Ready, Live):
    """Whether a champion can be asked. The protocol calls this `ready` in one place and `live` in another."""

    name: str


class TensorShown(BaseModel):
    """A tensor that is taken or given."""

    name: str
    datatype: str
    shape: list[int]


class ModelShown(BaseModel):
    """A pipeline as a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorShown]
    outputs: list[TensorShown]


class OutputShown(TensorShown):
    """A tensor with its data."""

    data: list[Any]


class InferenceParameters(BaseModel):
    """What became of the rows."""

    logged: bool = Field(description="Whether they are on their way into the pipeline's stream.")


class Inference(BaseModel):
    """The champion's answer."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: InferenceParameters
    outputs: list[OutputShown]


class Refusal(BaseModel):
    """A problem (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="Cause and cure.")
    reason: str
    error: str = Field(description="The detail again.")


WHY = {
    400: "The request can't be read, or its tensors are not the contract's; which ones is told by name.",
    401: "No token, or an unknown one.",
    403: "The token is not good for this.",
    404: "There is no such pipeline, or it serves another version.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    415: "A content encoding that is not read here.",
    422: "The model can't score these rows, or the name is none.",
    429: "Too much is waiting; try again later.",
    503: "There is no champion yet, or none is loaded, or all threads are busy.",
}
ASKED = (400, 401, 403, 404, 408, 413, 415, 422, 429, 503)
LOOKED = (401, 403, 404, 422)


def refusals(*statuses: int) -> dict[int | str, Document]:
    schema = Refusal.model_json_schema()
    return {status: {"description": WHY[status], "content": {PROBLEM: {"schema": schema}}} for status in statuses}


def _tensor(name: str, datatype: str, *data: Any) -> Document:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": list(data)}


_EXAMPLE: Document = {
    "id": "42",
    "parameters": {"log": True},
    "inputs": [
        _tensor("pressure_bar", "FP64", 2.41, 2.44),
        _tensor("stops", "INT64", 0, 2),
        _tensor("product", "BYTES", "cola", "soda"),
        _tensor("cleaned", "BOOL", True, False),
        _tensor("crate", "BYTES", "c-1041", "c-1042"),
    ],
}
QUESTION: Document = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Makes two attempts count once in the stream.",
            "schema": {"type": "string", "maxLength": 255},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}},
    },
}
