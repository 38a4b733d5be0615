"""``POST …/records`` and ``…/labels``."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from services.ingestion.delivery import JSON, Action
from services.ingestion.door.counter import Counter, taken
from services.ingestion.door.documents import DELIVERY, LABELS, RECORDS, Name, Report, refusals
from shared.access.bodies import Intake
from shared.access.guard import permits
from shared.access.tokens import Access


class Deliveries:
    """Bodies go to the core as they came: which rows are in them is its business."""

    def __init__(self, counter: Counter, intake: Intake, body_bytes: int) -> None:
        self._counter = counter
        self._intake = intake
        self._body_bytes = body_bytes

    async def records(self, name: Name, request: Request) -> Response:
        """Answered when the broker has the rows. Rows that don't fit the contract's types are set aside one by one,
        and the answer says which and why."""
        return await self._deliver(name, "records", request)

    async def labels(self, name: Name, request: Request) -> Response:
        """For contracts whose label arrives late: the record's id, and the label. A record's first label wins."""
        return await self._deliver(name, "labels", request)

    async def _deliver(self, pipeline: str, action: Action, request: Request) -> Response:
        content_type = request.headers.get("content-type", JSON)
        async with self._intake.body(request, self._body_bytes) as body:
            return taken(*await self._counter.ask(request, pipeline, action, body, content_type))


def routes(deliveries: Deliveries, access: Access) -> APIRouter:
    router = APIRouter(tags=["deliveries"])
    for action, endpoint, examples in (
        ("records", deliveries.records, RECORDS),
        ("labels", deliveries.labels, LABELS),
    ):
        router.add_api_route(
            f"/v1/pipelines/{{name}}/{action}",
            endpoint,
            methods=["POST"],
            status_code=202,
            summary=f"Deliver {action}",
            dependencies=[Depends(permits(access, "ingest"))],
            response_class=Response,
            responses={202: {"model": Report, "description": "Safe in the log."}, **refusals(*DELIVERY)},
            openapi_extra=examples,
        )
    return router
