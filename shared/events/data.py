"""Headers of data messages (rows as Arrow) and of dead letters: CloudEvents 1.0, binary mode.

The value of a data message is one record-batch body; ``file`` names the pipeline file whose contract implies the
schema.  No header ever holds a value out of a record: headers are shown in tools and logs.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.events.base import derive_id
from shared.events.envelope import timestamp, trace_headers
from shared.runtime.core import Message

ARROW_BATCH = "application/vnd.apache.arrow.recordbatch"
RECORDS_INGESTED_V1 = "driftloop.records.ingested.v1"
RECORDS_VALIDATED_V1 = "driftloop.records.validated.v1"
PREDICTIONS_MADE_V1 = "driftloop.predictions.made.v1"
LABELS_INGESTED_V1 = "driftloop.labels.ingested.v1"
RECORD_REFUSED_V1 = "driftloop.records.refused.v1"

FILE = "file"
REASON = "driftloop.reason"
REPLAYED = "driftloop.replayed"
"""How often the rows have been put back by `driftloop replay`, this time included; absent where they never were."""


def data_headers(
    kind: str,
    pipeline: str,
    identity: tuple[object, ...],
    now: int,
    extra: Mapping[str, object],
    *,
    cause: str = "",
    trace: str = "",
) -> dict[str, str]:
    """Headers of one data message. ``identity``: what makes two messages of this kind the same; the id comes from it.

    ``extra`` holds the message's own headers (``file``, ``rows``, …), turned into strings here. ``trace``: the cause's
    trace context (`shared.events.envelope.trace_of`).
    """
    headers = {
        "ce_specversion": "1.0",
        "ce_id": derive_id(kind, pipeline, *identity),
        "ce_type": kind,
        "ce_source": f"driftloop/{pipeline}",
        "ce_subject": pipeline,
        "ce_time": timestamp(now),
        "content-type": ARROW_BATCH,
    }
    if cause:
        headers["ce_causationid"] = cause
    headers |= trace_headers(trace)
    headers.update((name, str(value)) for name, value in extra.items())
    return headers


def error_headers(stage: str, error: str, message: str, reason: str, source: Message | None) -> dict[str, str]:
    """Kafka Connect's dead-letter headers, which its tools read, and our reason code.

    ``error``: the class of the fault; ``message``: a sentence without a record's value; ``source``: the message that
    the data came in, None for a delivery that never was in a log.
    """
    headers = {
        "__connect.errors.stage": stage,
        "__connect.errors.exception.class.name": error,
        "__connect.errors.exception.message": message,
        REASON: reason,
    }
    if source is not None:
        headers["__connect.errors.topic"] = source.topic
        headers["__connect.errors.partition"] = str(source.partition)
        headers["__connect.errors.offset"] = str(source.offset)
    return headers


def message_id(message: Message) -> str:
    """What events that a message causes call it: its CloudEvents id, or its place in the log."""
    return message.headers.get("ce_id", f"{message.topic}/{message.partition}/{message.offset}")
