"""`Counter`: hands requests to the core and turns its answers, or their absence, into HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from time import time
from typing import Any

import orjson
from fastapi import Request, Response

from services.ingestion.door.keys import HEADER, Key, Sender, key_of
from services.ingestion.door.once import Once
from shared.access.guard import grant_of
from shared.access.problems import Problem
from shared.access.watching import note
from shared.events.envelope import trace_of
from shared.operations.desk import Closed, Desk, Full
from shared.runtime import core
from shared.runtime.core import Answer, Unit

JSON = "application/json"
REPLAYED = "Idempotency-Replayed"
UNKNOWN = 503
"""Also what the core's thread answers when the log failed with a request's appends under way."""
SOON = {"Retry-After": "1"}


class Counter:
    """``seconds``: how long a caller waits for the core's answer."""

    def __init__(self, desk: Desk, once: Once, seconds: float) -> None:
        self._desk = desk
        self._once = once
        self._seconds = seconds

    async def ask(
        self, request: Request, pipeline: str, action: str, body: bytes, content_type: str = JSON
    ) -> tuple[Answer, Mapping[str, str]]:
        """An answer that accepts, and headers for it. Raises `Problem` for every other end."""
        key = key_of(request.headers, Sender(grant_of(request).name, pipeline, action), content_type, body)
        note(request, id=key.request)
        trace = trace_of(request.headers)
        asked = core.Request(key.request, action, body, int(time() * 1000), content_type, trace)
        given = await self._once.answer(key, lambda: self._answer(Unit(pipeline), asked, key))
        if given.answer.status >= 400:
            raise _refused(given.answer, key)
        return given.answer, {REPLAYED: "true"} if given.replayed else {}

    async def _answer(self, unit: Unit, asked: core.Request, key: Key) -> Answer:
        try:
            return await self._desk.ask(unit, asked, self._seconds)
        except Full as full:
            headers = {"Retry-After": str(max(1, ceil(full.retry_after)))}
            detail = "more is waiting here than may; nothing of this was taken, try again later"
            raise Problem(429, "busy", detail, headers=headers) from None
        except Closed:
            detail = "this process is going away and took nothing of this; another one will take it"
            raise Problem(503, "closing", detail, headers=SOON) from None
        except TimeoutError:
            raise _unknown(key) from None


def taken(answer: Answer, headers: Mapping[str, str]) -> Response:
    return Response(answer.body, answer.status, dict(headers), JSON)


def _unknown(key: Key) -> Problem:
    again = "send the same request again" if key.given else f"send it again with '{HEADER}: {key.text}'"
    detail = f"no answer came in time, so nobody knows whether this was taken; {again}, and it counts once"
    members = {} if key.given else {"idempotency_key": key.text}
    return Problem(UNKNOWN, "unknown-outcome", detail, headers=SOON, **members)


def _refused(answer: Answer, key: Key) -> Problem:
    """The core's refusal: a reason and a sentence, or the report about rows of which none was fit."""
    if answer.status == UNKNOWN:
        return _unknown(key)
    body: dict[str, Any] = orjson.loads(answer.body)
    reason = str(body.pop("reason", "no-row-fits"))
    rows = f"none of the {body.get('received')} rows fits the contract; 'problems' says why, row by row"
    return Problem(answer.status, reason, str(body.pop("message", rows)), **body)
