"""The letter about an input that a core failed on: a defect of ours, told without a value of the record."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping

import orjson

from shared.events.data import FILE, RECORD_REFUSED_V1, data_headers, error_headers, message_id
from shared.events.envelope import trace_of
from shared.events.topics import RECORDS_DEAD
from shared.runtime.core import Answer, Append, Effect, Message, Request, Unit

FAILED = "handler-failed"
LARGEST = RECORDS_DEAD.max_message_bytes - (64 << 10)
"""Bytes of a letter's value: its headers need room, too."""
CUT = "driftloop.cut"
"""Bytes that the value had, where it was longer than a letter can be; absent where it is whole."""


def set_aside(stage: str) -> Callable[[Unit, Message | Request, Exception], Effect]:
    """For the `Worker` of the service of this name."""

    def effect(unit: Unit, item: Message | Request, error: Exception) -> Effect:
        told = without_values(error)
        if isinstance(item, Request):
            body = {
                "reason": FAILED,
                "message": f"{stage} failed on this request ({told}); this is a defect, report it",
            }
            return Answer(item.id, 500, orjson.dumps(body))
        return _letter(stage, unit, item, type(error).__name__, f"{stage} failed on this message: {told}")

    return effect


def _letter(stage: str, unit: Unit, message: Message, error: str, told: str) -> Append:
    place = (stage, message.topic, message.partition, message.offset)
    extra = {FILE: message.headers[FILE]} if FILE in message.headers else {}
    cause, trace = message_id(message), trace_of(message.headers)
    headers = data_headers(RECORD_REFUSED_V1, unit.pipeline, place, message.timestamp, extra, cause=cause, trace=trace)
    headers["content-type"] = message.headers.get("content-type", "application/octet-stream")
    headers |= error_headers(stage, error, told, FAILED, message)
    return letter(Unit(unit.pipeline, unit.lane or 0), message.value, headers)


def letter(unit: Unit, value: bytes, headers: Mapping[str, str]) -> Append:
    """What is refused, as it came. Of more than a letter can hold the beginning is kept, and its length is told."""
    told = {**headers, CUT: str(len(value))} if len(value) > LARGEST else headers
    return Append(RECORDS_DEAD.name, unit, value[:LARGEST], told)


def without_values(error: Exception) -> str:
    """Its class and the line that raised it. An error's own words may quote the record, and what is told of it is shown
    in tools and logs."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "an unknown place"
    return f"{type(error).__name__} at {place}"
