"""What is noted about every request: a metric, a line in the log, and whatever nobody caught."""

from __future__ import annotations

import logging
import traceback
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any, Protocol

from fastapi import FastAPI, Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.access.problems import Problem, refusal

LOGGER = logging.getLogger(__name__)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
"""Others share one label: a stranger may send any word, and each would be a new series."""
UNKNOWN_ROUTE = "(none)"
CLIENT_LEFT = 499
"""Not in RFC 9110; what nginx logs when nobody is left to answer."""
QUIET = ("/v2/health/",)
"""Asked every few seconds by machines: not worth a line."""


class Measures(Protocol):
    """What a door counts."""

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request. ``route`` is the template, never the path."""

    def degraded(self, what: str) -> None:
        """Something that a door can do without did not work."""


class Unmeasured:
    """For doors that nobody watches."""

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Nothing is counted."""

    def degraded(self, what: str) -> None:
        """Nothing is counted."""


class Watch:
    """Around the whole application. Neither bodies nor tokens nor query strings are ever noted."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(scope, send)
        started = perf_counter()
        try:
            await self._app(scope, receive, seen.send)
        except ClientDisconnect:
            seen.status = CLIENT_LEFT
        except Exception as error:  # noqa: BLE001 - the last one to catch anything; told below
            await self._failed(error, scope, receive, seen)
        finally:
            self._note(scope, seen.status, perf_counter() - started)

    async def _failed(self, error: Exception, scope: Scope, receive: Receive, seen: _Seen) -> None:
        # The error's own words may quote a record, so its class and place have to do.
        LOGGER.error("%s failed: %s", _route(scope), place_of(error))
        if not seen.status:
            detail = f"this is a defect ({place_of(error)}); report it, and try again"
            await refusal(Problem(500, "internal-error", detail))(scope, receive, seen.send)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        route = _route(scope)
        self._measures.answered(method, route, status, seconds)
        level = logging.DEBUG if route.startswith(QUIET) else logging.INFO
        if LOGGER.isEnabledFor(level):
            LOGGER.log(level, "%s %s %d", method, route, status, extra={"seconds": round(seconds, 6), **_about(scope)})


class _Seen:
    """The status on its way out; 0 before there is one."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self.status = 0
        scope["state"] = dict(scope.get("state") or {})

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def watch(app: FastAPI, measures: Measures) -> None:
    app.add_middleware(Watch, measures=measures)


def note(request: Request, **what: str) -> None:
    """Adds to the request's line in the log: who asked, under which id."""
    noted: dict[str, str] = request.scope["state"].setdefault("noted", {})
    noted.update(what)


def place_of(error: BaseException) -> str:
    """An error's class and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + where


def _route(scope: MutableMapping[str, Any]) -> str:
    return str(getattr(scope.get("route"), "path", UNKNOWN_ROUTE))


def _about(scope: Scope) -> dict[str, Any]:
    client, pipeline = scope.get("client"), (scope.get("path_params") or {}).get("name")
    about = {"client": client[0] if client else None, "pipeline": pipeline, **scope["state"].get("noted", {})}
    return {name: value for name, value in about.items() if value is not None}
