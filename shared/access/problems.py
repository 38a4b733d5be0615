"""Refusals as problem details (RFC 9457), every one of them: ours, the framework's, and what nobody foresaw."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

PROBLEM = "application/problem+json"
TYPE = "urn:driftloop:problem:"


class Problem(Exception):
    """A refusal on its way out. ``reason`` is its code; ``detail`` names cause and cure and quotes no record."""

    def __init__(
        self, status: int, reason: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers = headers or {}
        self.members = members
        super().__init__(detail)


def document(problem: Problem) -> dict[str, Any]:
    """``error`` repeats the detail: it is what the Open Inference Protocol calls it, and what its clients show."""
    return {
        "type": TYPE + problem.reason,
        "title": problem.reason.replace("-", " ").capitalize(),
        "status": problem.status,
        "detail": problem.detail,
        "reason": problem.reason,
        "error": problem.detail,
        **problem.members,
    }


def refusal(problem: Problem) -> Response:
    return Response(orjson.dumps(document(problem)), problem.status, dict(problem.headers), PROBLEM)


def tell_problems(app: FastAPI) -> None:
    """Makes the application answer every refusal in this form."""
    app.add_exception_handler(Problem, _ours)
    app.add_exception_handler(HTTPException, _frameworks)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return refusal(error)


async def _frameworks(request: Request, error: Exception) -> Response:
    """No such path, another method: the framework's words are the status's own."""
    assert isinstance(error, HTTPException)
    reason = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    detail = f"{request.method} {request.url.path}: {error.detail}; what there is stands in /openapi.json"
    return refusal(Problem(error.status_code, reason, detail, headers=error.headers))


async def _invalid(_: Request, error: Exception) -> Response:
    """Where and what, without the value that was given."""
    assert isinstance(error, RequestValidationError)
    problems = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
    return refusal(Problem(422, "invalid-request", "; ".join(problems), problems=problems))
