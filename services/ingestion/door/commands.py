"""``POST …/commands/{command}``: what people and automation ask for."""

from __future__ import annotations

from enum import StrEnum

import orjson
from fastapi import APIRouter, Depends, Request, Response

from services.ingestion.commands import COMMAND
from services.ingestion.door.counter import Counter, taken
from services.ingestion.door.documents import ASKED, FIELDS, CommandTaken, Name, refusals
from shared.access.bodies import Intake
from shared.access.guard import permits
from shared.access.problems import Problem
from shared.access.tokens import Access

COMMAND_BYTES = 16 << 10


class Order(StrEnum):
    """Commands without a file: `apply` comes with its file by PUT, where its blob is stored first."""

    PAUSE = "pause"
    RESUME = "resume"
    RETRAIN = "retrain"
    APPROVE = "approve"
    ROLLBACK = "rollback"
    CLEAR_FAULT = "clear-fault"


class Commands:
    """The core knows which fields each takes."""

    def __init__(self, counter: Counter, intake: Intake) -> None:
        self._counter = counter
        self._intake = intake

    async def order(self, name: Name, command: Order, request: Request) -> Response:
        """Passed on when the broker has it. Whether it was carried out stands in the ledger, under the command's id."""
        async with self._intake.body(request, COMMAND_BYTES) as body:
            asked = orjson.dumps({"name": command.value, "fields": _fields(body)})
            return taken(*await self._counter.ask(request, name, COMMAND, asked))


def _fields(body: bytes) -> object:
    if not body.strip():
        return {}
    try:
        return orjson.loads(body)
    except ValueError:
        raise Problem(400, "unreadable", "the body is not JSON; a command's fields are a JSON object") from None


def routes(commands: Commands, access: Access) -> APIRouter:
    router = APIRouter(tags=["commands"])
    router.add_api_route(
        "/v1/pipelines/{name}/commands/{command}",
        commands.order,
        methods=["POST"],
        status_code=202,
        summary="Give a command",
        dependencies=[Depends(permits(access, "command"))],
        response_class=Response,
        responses={202: {"model": CommandTaken, "description": "On its way to its owner."}, **refusals(*ASKED)},
        openapi_extra=FIELDS,
    )
    return router
