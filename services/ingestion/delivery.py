"""`Delivery`: rows on their way in, whichever door they came through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.events.envelope import trace_of
from shared.runtime.core import Message, Request

Action = Literal["records", "labels"]
JSON = "application/json"
REPLAYS = re.compile("[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """``key`` makes two attempts to deliver the same rows the same delivery: the sender's idempotency key, a
    CloudEvent's source and id, or the place where the rows stood. ``source``: the message they stood in, if any.
    ``trace``: the sender's trace context, or ""."""

    action: Action
    key: str
    content_type: str
    body: bytes
    now: int
    source: Message | None = None
    trace: str = ""

    @property
    def replayed(self) -> int:
        """How often its rows have been put back, this time included; then they bring their ids with them.

        ``replay=N`` among the media type's parameters, as `driftloop replay` writes it: a parameter of the media type
        goes through every door that there is, HTTP's and the log's. 0 for a first delivery.
        """
        parameters = (each.strip().partition("=") for each in self.content_type.split(";")[1:])
        return next((int(value) for name, _, value in parameters if name == "replay" and REPLAYS.fullmatch(value)), 0)


def of_request(request: Request, action: Action) -> Delivery:
    """A request's id is the key: the host takes it from `idempotency_key`, or makes a fresh one."""
    return Delivery(action, request.id, request.content_type, request.body, request.now, None, request.trace)


def of_message(message: Message, action: Action) -> Delivery:
    """A message of a producer's own topic. Without a content type it is taken for JSON."""
    headers = {name.lower(): value for name, value in message.headers.items()}
    place = f"{message.topic}/{message.partition}/{message.offset}"
    key = idempotency_key(headers) or place
    content_type = headers.get("content-type", JSON)
    return Delivery(action, key, content_type, message.value, message.timestamp, message, trace_of(headers))


def idempotency_key(headers: Mapping[str, str]) -> str:
    """What the sender says names the delivery, or "". Names in lower case.

    CloudEvents in binary mode put their attributes into headers: ``ce_source`` and ``ce_id`` over Kafka, ``ce-source``
    and ``ce-id`` over HTTP; together they are unique by the specification.
    """
    if "idempotency-key" in headers:
        return headers["idempotency-key"]
    for separator in "_-":
        source, name = headers.get(f"ce{separator}source"), headers.get(f"ce{separator}id")
        if source and name:
            return f"{source}#{name}"
    return ""
