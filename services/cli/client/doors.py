"""`Doors`: what can be asked of a running system over HTTP, one method each, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import orjson

from services.cli.client.answers import Refused
from services.cli.client.policies import Retrying
from services.cli.client.transport import Transport

KEY, KIND = "Idempotency-Key", "Content-Type"
JSON = "application/json"

Document = Mapping[str, Any]


class Doors:
    """Ingestion's and prediction's. Thread-safe. Raises `Refused` and `Undelivered`.

    ``prediction_url`` is needed where the prediction service has an address of its own.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        prediction_url: str | None = None,
        retrying: Retrying = Retrying(),  # noqa: B008 - frozen
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._ingestion = Transport(url, token, retrying, transport)
        self._prediction = Transport(prediction_url or url, token, retrying, transport)

    def close(self) -> None:
        self._ingestion.close()
        self._prediction.close()

    def deliver(self, pipeline: str, action: str, body: bytes, content_type: str, key: str | None = None) -> Document:
        """``action``: records or labels. The report; also for a delivery of which every row was set aside."""
        headers = {KEY: key or str(uuid4()), KIND: content_type}
        try:
            return _document(self._ingestion.send("POST", f"{_pipeline(pipeline)}/{action}", body, headers))
        except Refused as refused:
            if "batch" not in refused.problem:
                raise
            return {"ids": [], **refused.problem}

    def apply(self, pipeline: str, file: bytes, model: bytes | None = None) -> Document:
        """A pipeline file as YAML, and perhaps the model that it begins with; the answer names the command."""
        query = "" if model is None else f"?model={self.upload(model)}"
        headers = {KEY: str(uuid4()), KIND: "application/yaml"}
        return _document(self._ingestion.send("PUT", f"{_pipeline(pipeline)}{query}", file, headers))

    def upload(self, model: bytes) -> str:
        """The model's digest."""
        headers = {KIND: "application/octet-stream"}
        return str(_document(self._ingestion.send("PUT", "/v1/models", model, headers))["model"])

    def command(self, pipeline: str, name: str, **fields: str) -> Document:
        """The answer names the command, under whose id the ledger will tell what became of it."""
        headers = {KEY: str(uuid4()), KIND: JSON}
        path = f"{_pipeline(pipeline)}/commands/{quote(name, safe='')}"
        return _document(self._ingestion.send("POST", path, orjson.dumps(fields), headers))

    def standing(self, pipeline: str) -> Document:
        return _document(self._ingestion.send("GET", _pipeline(pipeline)))

    def standings(self) -> Document:
        return _document(self._ingestion.send("GET", "/v1/pipelines"))

    def metadata(self, pipeline: str) -> Document:
        """The model's inputs and outputs, by the Open Inference Protocol."""
        return _document(self._prediction.send("GET", _model(pipeline)))

    def infer(self, pipeline: str, inputs: Sequence[Document], *, log: bool = True) -> Document:
        """``inputs``: tensors. The protocol's answer."""
        body = orjson.dumps({"inputs": inputs, "parameters": {"log": log}}, option=orjson.OPT_SERIALIZE_NUMPY)
        headers = {KEY: str(uuid4()), KIND: JSON}
        return _document(self._prediction.send("POST", f"{_model(pipeline)}/infer", body, headers))


def _pipeline(name: str) -> str:
    return f"/v1/pipelines/{quote(name, safe='')}"


def _model(name: str) -> str:
    return f"/v2/models/{quote(name, safe='')}"


def _document(answer: httpx.Response) -> Document:
    document: Document = answer.json()
    return document
