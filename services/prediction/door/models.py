"""Metadata and health of what is served."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import orjson
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from services.prediction.door.documents import (
    LOOKED,
    Live,
    ModelReady,
    ModelShown,
    Name,
    Ready,
    Server,
    Version,
    refusals,
)
from services.prediction.door.inference import no_champion, output_names
from services.prediction.door.questions import tensor_kinds
from services.prediction.door.served import Champion, Served
from services.prediction.door.tensors import DATATYPES
from shared.access.guard import permits
from shared.access.problems import Problem
from shared.access.tokens import Access

JSON = "application/json"


class Models:
    """``ready``: whether everything that `serving` had said at the start is in force here. Nobody answers before that:
    an older version may not speak for the one in service."""

    def __init__(self, served: Served, ready: Callable[[], bool]) -> None:
        self._served = served
        self._ready = ready

    async def server(self) -> Response:
        return _json({"name": "driftloop", "version": _build(), "extensions": []})

    async def live(self) -> Response:
        return _json({"live": True})

    async def ready(self) -> Response:
        if not self._ready():
            raise Problem(503, "starting", "what is served is still being read", headers={"Retry-After": "1"})
        return _json({"ready": True})

    async def model(self, name: Name) -> Response:
        return _json(_shown(self.champion(name)))

    async def version(self, name: Name, version: Version) -> Response:
        return _json(_shown(self.champion(name, version)))

    async def model_ready(self, name: Name) -> Response:
        return _ready(self.champion(name))

    async def version_ready(self, name: Name, version: Version) -> Response:
        return _ready(self.champion(name, version))

    def champion(self, name: str, version: str | None = None) -> Champion:
        """Raises `Problem` 404 or 503."""
        found = self._served.find(name) if self._ready() else None
        if found is None:
            raise self._unserved(name)
        if version is not None and version != found.version:
            detail = f"{name!r} serves version {found.version or 'none yet'}, and no other"
            raise Problem(404, "no-such-version", detail)
        return found

    def _unserved(self, name: str) -> Problem:
        if self._served.is_loading(name) or not self._ready():
            detail = f"the model of {name!r} is not loaded yet; try again in a moment"
            return Problem(503, "not-loaded", detail, headers={"Retry-After": "1"})
        return Problem(404, "no-pipeline", f"there is no pipeline {name!r} here; apply its file first")


def _ready(champion: Champion) -> Response:
    if champion.model is None:
        raise no_champion(champion.pipeline.name)
    return _json({"name": champion.pipeline.name, "ready": True, "live": True})


def _shown(champion: Champion) -> dict[str, Any]:
    contract = champion.pipeline.contract
    kinds = tensor_kinds(contract)
    return {
        "name": champion.pipeline.name,
        "versions": [champion.version] if champion.version else [],
        "platform": "driftloop_sklearn",
        "inputs": [_tensor(name, DATATYPES[kind]) for name, kind in kinds.items()],
        "outputs": [_tensor(name, datatype) for name, datatype in output_names(contract).items()],
    }


def _tensor(name: str, datatype: str) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1]}


def _build() -> str:
    try:
        return version("driftloop")
    except PackageNotFoundError:
        return "unknown"


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), media_type=JSON)


class Route(NamedTuple):
    """A path, what answers there, and how that is described."""

    path: str
    endpoint: Callable[..., Any]
    shown: type[BaseModel]
    summary: str


def routes(models: Models, access: Access) -> APIRouter:
    """Health is for machines that bear no tokens; what is served is not for everybody."""
    router = APIRouter(tags=["models"])
    locked = [Depends(permits(access, "predict"))]
    one, version = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
    for path, endpoint, shown, summary in _general(models):
        router.add_api_route(
            path, endpoint, response_class=Response, responses={200: {"model": shown}}, summary=summary
        )
    for path, endpoint, shown, summary in (
        Route(one, models.model, ModelShown, "Model metadata"),
        Route(version, models.version, ModelShown, "Version metadata"),
        Route(f"{one}/ready", models.model_ready, ModelReady, "Model ready"),
        Route(f"{version}/ready", models.version_ready, ModelReady, "Version ready"),
    ):
        router.add_api_route(
            path,
            endpoint,
            dependencies=locked,
            response_class=Response,
            responses={200: {"model": shown}, **refusals(*LOOKED)},
            summary=summary,
        )
    return router


def _general(models: Models) -> tuple[Route, ...]:
    return (
        Route("/v2", models.server, Server, "Server metadata"),
        Route("/v2/health/live", models.live, Live, "Server live"),
        Route("/v2/health/ready", models.ready, Ready, "Server ready"),
    )
