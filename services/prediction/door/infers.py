"""``POST …/infer``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request, Response

from services.prediction.door.documents import ASKED, QUESTION, Inference, Name, Version, refusals
from services.prediction.door.inference import KEY, Offer, infer
from services.prediction.door.models import JSON, Models
from services.prediction.door.served import Champion
from shared.access.bodies import Intake, Limits
from shared.access.guard import permits
from shared.access.problems import Problem
from shared.access.tokens import Access

LONGEST_KEY = 255


class Infers:
    """Scoring holds a thread, and more threads than cores would only wait for one another."""

    def __init__(self, models: Models, offer: Offer, limits: Limits, threads: int) -> None:
        self._models = models
        self._offer = offer
        self._limits = limits
        self._intake = Intake(limits)
        self._threads = CapacityLimiter(threads)
        self._turns = asyncio.Semaphore(threads)

    async def model(self, name: Name, request: Request) -> Response:
        """Scored by the champion in service, which the answer names."""
        return await self._infer(request, self._models.champion(name))

    async def version(self, name: Name, version: Version, request: Request) -> Response:
        """The same, if this version is the champion."""
        return await self._infer(request, self._models.champion(name, version))

    async def _infer(self, request: Request, champion: Champion) -> Response:
        key = _key(request)
        async with self._intake.body(request, self._limits.body_bytes) as body, self._turn():
            scored = await to_thread.run_sync(infer, body, champion, key, self._offer, limiter=self._threads)
        return Response(scored, media_type=JSON)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Only the waiting has an end: what is being scored leaves rows behind, and must not be called undone."""
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                await self._turns.acquire()
        except TimeoutError:
            detail = "all threads are busy scoring for others; nothing was done with this, try again"
            raise Problem(503, "busy", detail, headers={"Retry-After": "1"}) from None
        try:
            yield
        finally:
            self._turns.release()


def _key(request: Request) -> str:
    key = request.headers.get(KEY, "").strip()
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise Problem(400, "invalid-key", f"{KEY} has to be 1 to {LONGEST_KEY} printable characters, such as a UUID")
    return key


def routes(infers: Infers, access: Access) -> APIRouter:
    router = APIRouter(tags=["inference"])
    for path, endpoint, summary in (
        ("/v2/models/{name}/infer", infers.model, "Infer"),
        ("/v2/models/{name}/versions/{version}/infer", infers.version, "Infer with a version"),
    ):
        router.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            summary=summary,
            dependencies=[Depends(permits(access, "predict"))],
            response_class=Response,
            responses={200: {"model": Inference}, **refusals(*ASKED)},
            openapi_extra=QUESTION,
        )
    return router
