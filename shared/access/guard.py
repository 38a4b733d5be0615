"""The lock on a route: a bearer token with the right scope, for the pipeline in the path (RFC 6750)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from shared.access.problems import Problem
from shared.access.tokens import Access, Grant, Scope
from shared.access.watching import note

REALM = 'Bearer realm="driftloop"'
Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(HTTPBearer(auto_error=False, scheme_name="token", description="Needed where a token file is set.")),
]


def permits(access: Access, scope: Scope) -> Callable[..., Awaitable[Grant]]:
    """A dependency that lets pass whoever has the scope, for the pipeline of the path where it names one."""

    async def check(request: Request, given: Bearer) -> Grant:
        grant = access.bearer(given.credentials if given else None)
        if grant is None:
            raise _unknown(given is not None)
        note(request, by=grant.name)
        pipeline = request.path_params.get("name")
        if not grant.allows(scope) or (pipeline is not None and not grant.covers(pipeline)):
            raise _forbidden(grant, scope, pipeline)
        request.state.grant = grant
        return grant

    return check


def grant_of(request: Request) -> Grant:
    """Of a request that passed `permits`."""
    found: Grant = request.state.grant
    return found


def _unknown(given: bool) -> Problem:
    challenge = f'{REALM}, error="invalid_token"' if given else REALM
    detail = "the token is not known here" if given else "this needs a token: send 'Authorization: Bearer …'"
    return Problem(401, "no-valid-token", detail, headers={"WWW-Authenticate": challenge})


def _forbidden(grant: Grant, scope: Scope, pipeline: str | None) -> Problem:
    challenge = f'{REALM}, error="insufficient_scope", scope="{scope}"'
    what = f" for pipeline {pipeline!r}" if pipeline else ""
    detail = f"token {grant.name!r} is not good for {scope!r}{what}; whoever keeps the token file can widen it"
    return Problem(403, "not-allowed", detail, headers={"WWW-Authenticate": challenge})
