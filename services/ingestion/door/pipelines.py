"""``PUT /v1/pipelines/{name}`` and ``PUT /v1/models``: files and models are stored first, then a command names them."""

from __future__ import annotations

from typing import Annotated, Protocol

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Query, Request, Response

from services.ingestion.commands import COMMAND
from services.ingestion.door.checking import check_fit, checked_file, checked_model, text_of
from services.ingestion.door.counter import JSON, Counter
from services.ingestion.door.documents import ASKED, FILE, MODEL, STORED, FileTaken, ModelTaken, Name, refusals
from shared.access.bodies import Intake
from shared.access.guard import permits
from shared.access.problems import Problem
from shared.access.tokens import Access

FILE_BYTES = 256 << 10
UNPACKED = 8
"""A model may unpack to so many times the limit of its upload."""
Digest = Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="Digest that `PUT /v1/models` answered.")]


class Shelf(Protocol):
    """Where blobs are put; the blob store."""

    def put(self, data: bytes) -> str: ...

    def get(self, digest: str) -> bytes: ...

    def contains(self, digest: str) -> bool: ...


class Pipelines:
    """Checking and storing is done off the event loop, one at a time: YAML, skops and disks take theirs."""

    def __init__(self, counter: Counter, intake: Intake, shelf: Shelf, model_bytes: int) -> None:
        self._counter = counter
        self._intake = intake
        self._shelf = shelf
        self._model_bytes = model_bytes
        self._checking = CapacityLimiter(1)

    async def apply(self, name: Name, request: Request, model: Digest = None) -> Response:
        """All mistakes of a file are told at once. With `model`, an uploaded model serves from the start."""
        async with self._intake.body(request, FILE_BYTES) as body:
            text = text_of(body, request.headers.get("content-type", ""))
            file = await to_thread.run_sync(self._stored, name, text, model, limiter=self._checking)
            fields = {"file": file} | ({"model": model} if model else {})
            asked = orjson.dumps({"name": "apply", "fields": fields}, option=orjson.OPT_SORT_KEYS)
            answer, headers = await self._counter.ask(request, name, COMMAND, asked)
            return Response(orjson.dumps(orjson.loads(answer.body) | fields), answer.status, dict(headers), JSON)

    async def upload(self, request: Request) -> Response:
        """The bytes that `shared.domain.models.dump_model` gives for a fitted scikit-learn estimator."""
        async with self._intake.body(request, self._model_bytes) as body:
            unpacked = self._model_bytes * UNPACKED
            found = await to_thread.run_sync(checked_model, body, unpacked, limiter=self._checking)
            digest = await to_thread.run_sync(self._shelf.put, body)
            columns = [column.name for column in found.columns]
            return Response(orjson.dumps({"model": digest, "task": found.task, "columns": columns}), 201, None, JSON)

    def _stored(self, name: str, text: str, model: str | None) -> str:
        """Digest of the checked file, which is in the blob store then."""
        pipeline, canonical = checked_file(name, text)
        if model is not None:
            if not self._shelf.contains(model):
                raise Problem(422, "no-model", f"there is no model {model}; bring it by PUT /v1/models first")
            check_fit(checked_model(self._shelf.get(model), self._model_bytes * UNPACKED), pipeline.contract)
        return self._shelf.put(canonical)


def routes(pipelines: Pipelines, access: Access) -> APIRouter:
    router = APIRouter(tags=["pipelines"])
    locked = [Depends(permits(access, "command"))]
    router.add_api_route(
        "/v1/pipelines/{name}",
        pipelines.apply,
        methods=["PUT"],
        status_code=202,
        summary="Apply a pipeline file",
        dependencies=locked,
        response_class=Response,
        responses={
            202: {"model": FileTaken, "description": "Stored; deployment puts it in force."},
            **refusals(*ASKED),
        },
        openapi_extra=FILE,
    )
    router.add_api_route(
        "/v1/models",
        pipelines.upload,
        methods=["PUT"],
        status_code=201,
        summary="Upload a model",
        dependencies=locked,
        response_class=Response,
        responses={201: {"model": ModelTaken, "description": "Stored under this digest."}, **refusals(*STORED)},
        openapi_extra=MODEL,
    )
    return router
