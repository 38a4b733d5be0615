"""A producer's trace context goes with what follows from its message, as it came, and nothing else does."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from services.ingestion.delivery import of_message
from services.ingestion.messages import dead_appends, rows_appends
from services.ingestion.raw import DeadRow
from shared.domain.rows import ID
from shared.events.data import RECORDS_VALIDATED_V1, data_headers
from shared.events.envelope import TRACEPARENT, to_append, trace_of
from shared.events.topics import LEDGER, RECORDS_OFFERED
from shared.runtime.core import Append, Message
from tests.contracts.examples import event_of
from tests.unit.ingestion.doors import NOW, PIPELINE, as_message
from tests.unit.validation.lane import Lane, good

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
"""The example of the recommendation (W3C Trace Context, section 3.2)."""
NO_TRACES = {
    "nothing": "",
    "a word": "secret",
    "capitals": TRACE.upper(),
    "no trace": TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
    "no span": TRACE.replace("00f067aa0ba902b7", "0" * 16),
    "more than one": f"{TRACE}, {TRACE}",
    "a line break": f"{TRACE}\n",
    "a later version, whose shape is not known": f"01{TRACE[2:]}",
}


def message(headers: dict[str, str]) -> Message:
    return Message(RECORDS_OFFERED.name, 0, 7, NOW, PIPELINE.name, b"{}", headers)


def test_an_event_is_of_its_causes_trace() -> None:
    event = event_of("driftloop.drift.suspected.v1/losses")
    assert to_append(LEDGER.name, event, message({TRACEPARENT: TRACE})).headers[TRACEPARENT] == TRACE


def test_without_one_an_event_gets_none() -> None:
    event = event_of("driftloop.drift.suspected.v1/losses")
    assert TRACEPARENT not in to_append(LEDGER.name, event, message({})).headers
    assert TRACEPARENT not in to_append(LEDGER.name, event).headers


def test_the_trace_is_no_part_of_what_an_event_says() -> None:
    """Two attempts under two traces are one fact."""
    event = event_of("driftloop.drift.suspected.v1/losses")
    one, other = (to_append(LEDGER.name, event, message(headers)) for headers in ({TRACEPARENT: TRACE}, {}))
    assert (one.value, one.headers["ce_id"]) == (other.value, other.headers["ce_id"])


def test_rows_are_of_their_deliverys_trace() -> None:
    delivery = of_message(message({"TraceParent": TRACE}), "records")
    rows = pa.RecordBatch.from_pydict({ID: ["b:0", "b:1", "b:2"]})
    appends = rows_appends(
        rows, action="records", pipeline="shop", lanes=1, file="f", batch="b", now=NOW, trace=delivery.trace
    )
    assert [append.headers[TRACEPARENT] for append in appends] == [TRACE]


def test_a_dead_letter_is_of_its_deliverys_trace() -> None:
    delivery = of_message(message({TRACEPARENT: TRACE}), "records")
    dead = [(DeadRow(0, "wrong-type", "column 'price' is not a number"), b"{}")]
    [letter] = dead_appends(dead, delivery, media_type="application/json", pipeline="shop", file="f", batch="b")
    assert letter.headers[TRACEPARENT] == TRACE


def test_data_without_a_trace_gets_none() -> None:
    assert TRACEPARENT not in data_headers(RECORDS_VALIDATED_V1, "shop", (0,), NOW, {})


@pytest.mark.parametrize("found", NO_TRACES.values(), ids=NO_TRACES.keys())
def test_what_is_no_trace_context_is_not_handed_on(found: str) -> None:
    assert trace_of({TRACEPARENT: found}) == ""


def test_a_trace_goes_all_the_way_from_the_door_to_the_prediction() -> None:
    lane = Lane()
    lane.serve(1)
    rows = json.dumps([good() | {"order": "1"}, good(price=-1) | {"order": "2"}]).encode()
    delivered = lane.door.hear(Message(RECORDS_OFFERED.name, 0, 7, NOW, "shop", rows, {TRACEPARENT: TRACE}))
    [typed] = [effect for effect in delivered.effects if isinstance(effect, Append)]
    followed = [typed, *lane.hear(as_message(typed))]
    assert [append.topic for append in followed] == [
        "records.ingested", "records.validated", "records.dead", "profiles",
    ]  # fmt: skip
    assert {append.headers.get(TRACEPARENT) for append in followed} == {TRACE}
