"""`Transport`: one HTTP request until there is an answer, or no hope of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import uniform
from threading import Event
from time import monotonic
from typing import Any

import httpx

from services.cli.client.answers import Refused, Undelivered
from services.cli.client.policies import Retrying

AGAIN = (408, 429, 502, 503, 504)
"""Answers that another moment may change. 502 and 504 come from what stands between us and the door."""
NOT_SOON = ("no-champion", "no-read-model")
"""Reasons of a 503 that no patience of ours would outlast."""
TIMEOUT = httpx.Timeout(60.0, connect=5.0)


class Transport:
    """Every attempt is the same request, and so, under its idempotency key, counts once."""

    def __init__(
        self, url: str, token: str | None, retrying: Retrying, transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT, transport=transport)
        self._retrying = retrying
        self._pause: Callable[[float], object] = Event().wait

    def close(self) -> None:
        self._client.close()

    def send(
        self, method: str, path: str, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Raises `Refused`, or `Undelivered` when the time is up."""
        request = self._client.build_request(method, path, content=content, headers=dict(headers or {}))
        place = f"{method} {request.url.copy_with(query=None)}"
        until = monotonic() + self._retrying.seconds
        pause = self._retrying.first
        while True:
            cause, told = "", 0.0
            try:
                answer = self._client.send(request)
                if not _may_change(answer):
                    return _accepted(answer, place)
                cause, told = _cause(answer), _retry_after(answer)
            except httpx.TransportError as error:
                cause = f"{type(error).__name__}: {error}"
            wait = max(told, uniform(0.5, 1.0) * pause)  # noqa: S311 - so that clients that failed together do not come back together
            if monotonic() + wait > until:
                raise Undelivered(place, self._retrying.seconds, cause)
            self._pause(wait)
            pause = min(self._retrying.longest, pause * 2)


def _may_change(answer: httpx.Response) -> bool:
    return answer.status_code in AGAIN and problem_of(answer).get("reason") not in NOT_SOON


def _accepted(answer: httpx.Response, place: str) -> httpx.Response:
    if answer.is_success:
        return answer
    raise Refused(place, answer.status_code, problem_of(answer))


def problem_of(answer: httpx.Response) -> Mapping[str, Any]:
    """The problem document; empty where something else answered."""
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _cause(answer: httpx.Response) -> str:
    return f"{answer.status_code} {problem_of(answer).get('detail', answer.reason_phrase)}"


def _retry_after(answer: httpx.Response) -> float:
    """Seconds; both of the header's forms (RFC 9110, 10.2.3)."""
    given = answer.headers.get("retry-after", "")
    if given.isdigit():
        return float(given)
    try:
        return max(0.0, (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0
