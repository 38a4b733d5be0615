"""What the log says anew: predictions and dead letters as plain objects."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Any

from services.cli.reading import Tail
from shared.domain.contract import Contract
from shared.domain.rows import ID, PREDICTED, SCORE, decode_batch, predictions_schema
from shared.events.data import REASON
from shared.events.topics import PREDICTIONS, RECORDS_DEAD
from shared.events.validation import REASON_COLUMN, rejected_schema
from shared.runtime.ports import Log

MESSAGE = "__connect.errors.exception.message"
STAGE = "__connect.errors.stage"


def predictions(tail: Tail, contract: Contract) -> Iterator[dict[str, Any]]:
    """``{"id", "predicted", "score", "version"}`` per record; no score where the model gives none."""
    schema = predictions_schema(contract)
    for message in tail.fresh():
        rows = decode_batch(message.value, schema)
        version = message.headers["version"]
        columns = (rows.column(name).to_pylist() for name in (ID, PREDICTED, SCORE))
        for record, predicted, score in zip(*columns, strict=True):
            known = None if score is None or math.isnan(score) else round(score, 6)
            yield {"id": record, "predicted": predicted, "score": known, "version": version}


def predictions_tail(log: Log) -> Tail:
    return Tail(log, PREDICTIONS.name)


def dead_tail(log: Log) -> Tail:
    return Tail(log, RECORDS_DEAD.name)


def dead_letters(tail: Tail, contract: Contract) -> Iterator[dict[str, Any]]:
    """One object per refused row: the stage, the reason, and the row as it came (bytes that are no text in base64)."""
    for message in tail.fresh():
        told = {"stage": message.headers.get(STAGE), "message": message.headers.get(MESSAGE)}
        if message.headers.get(STAGE) == "validation" and "first" in message.headers:
            for row in decode_batch(message.value, rejected_schema(contract)).to_pylist():
                yield told | {"reason": row.pop(REASON_COLUMN), "record": row}
        else:
            yield told | {"reason": message.headers.get(REASON), "body": _text(message.value)}


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(body).decode()
