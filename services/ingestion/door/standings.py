"""``GET /v1/pipelines``: how things stand, and how old that knowledge is."""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any, TypeVar

import orjson
from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response

from services.ingestion.door.documents import LOOKED, Name, StandingShown, StandingsShown, refusals
from shared.access.guard import grant_of, permits
from shared.access.problems import Problem
from shared.access.stores import ReadModel, Standing, StoreDown
from shared.access.tokens import Access
from shared.access.watching import Measures
from shared.events.envelope import timestamp

Value = TypeVar("Value")
JSON = "application/json"
DEGRADED = "read model"


class Standings:
    """From the read model, which follows the ledger; the ledger itself is asked by `driftloop status`."""

    def __init__(self, model: ReadModel, measures: Measures) -> None:
        self._model = model
        self._measures = measures

    async def one(self, name: Name) -> Response:
        found = await self._looked(lambda: self._model.get(name))
        if found is None:
            detail = f"nothing is known of pipeline {name!r}: never applied, or the read model is still being built"
            raise Problem(404, "no-pipeline", detail)
        return Response(orjson.dumps(_shown(found)), media_type=JSON)

    async def every(self, request: Request) -> Response:
        """Those that the token covers."""
        grant = grant_of(request)
        found = await self._looked(self._model.list)
        shown = [_shown(each) for each in found if grant.covers(each.pipeline)]
        return Response(orjson.dumps({"pipelines": shown}), media_type=JSON)

    async def _looked(self, look: Callable[[], Value]) -> Value:
        try:
            return await to_thread.run_sync(look)
        except StoreDown:
            self._measures.degraded(DEGRADED)
            detail = "the read model does not answer; 'driftloop status' reads the ledger itself"
            raise Problem(503, "no-read-model", detail, headers={"Retry-After": "5"}) from None


def _shown(standing: Standing) -> dict[str, Any]:
    return {
        "pipeline": standing.pipeline,
        "as_of": timestamp(standing.at),
        "age_seconds": max(0.0, round(time() - standing.at / 1000, 3)),
        "ledger_offset": standing.offset,
        "standing": standing.document,
    }


def routes(standings: Standings, access: Access) -> APIRouter:
    router = APIRouter(tags=["pipelines"])
    locked = [Depends(permits(access, "read"))]
    router.add_api_route(
        "/v1/pipelines",
        standings.every,
        methods=["GET"],
        summary="All pipelines",
        dependencies=locked,
        response_class=Response,
        responses={200: {"model": StandingsShown, "description": "By name."}, **refusals(*LOOKED)},
    )
    router.add_api_route(
        "/v1/pipelines/{name}",
        standings.one,
        methods=["GET"],
        summary="One pipeline",
        dependencies=locked,
        response_class=Response,
        responses={200: {"model": StandingShown, "description": "As of a moment ago."}, **refusals(404, 422, *LOOKED)},
    )
    return router
