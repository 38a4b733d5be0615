"""The same rows are the same Arrow batch, whatever format they came in."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingestion.raw import UnreadableBody
from services.ingestion.registry import formats, read_rows
from services.ingestion.typed import records_target, typed_rows
from shared.domain.rows import ID, ingested_schema
from tests.unit.ingestion.doors import CONTRACT, row

Rows = list[dict[str, Any]]
SCHEMA = ingested_schema(CONTRACT)
TARGET = records_target(CONTRACT)
LOOSE = pa.schema(
    [
        ("price", pa.float64()), ("count", pa.int64()), ("shop", pa.string()),
        ("open", pa.bool_()), ("at", pa.string()), ("sold", pa.string()),
    ]
)  # fmt: skip


def table(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=LOOSE)


def csv_body(rows: Rows) -> bytes:
    sink = pa.BufferOutputStream()
    pacsv.write_csv(table(rows), sink)
    return bytes(sink.getvalue())


def parquet_body(rows: Rows) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table(rows), sink)
    return bytes(sink.getvalue())


def arrow_body(rows: Rows) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, LOOSE) as writer:
        writer.write_table(table(rows))
    return bytes(sink.getvalue())


def event(number: int, **data: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": str(number), "source": "shop", "type": "sale", **data}


def lines(rows: Rows) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in rows)


ENCODERS: dict[str, Callable[[Rows], list[bytes]]] = {
    "JSON object": lambda rows: [json.dumps(each).encode() for each in rows],
    "JSON array": lambda rows: [json.dumps(rows).encode()],
    "columnar JSON": lambda rows: [json.dumps({name: [each[name] for each in rows] for name in LOOSE.names}).encode()],
    "NDJSON": lambda rows: [lines(rows)],
    "CSV": lambda rows: [csv_body(rows)],
    "Parquet": lambda rows: [parquet_body(rows)],
    "Arrow stream": lambda rows: [arrow_body(rows)],
    "CloudEvent": lambda rows: [
        json.dumps(event(1, data=rows)).encode(),
    ],
    "CloudEvents batch": lambda rows: [json.dumps([event(i, data=each) for i, each in enumerate(rows)]).encode()],
}

FIRST, LAST = datetime(1, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001 - the strategy adds the zone
INSTANTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "price": st.none() | st.floats(),
            "count": st.none() | st.integers(-(2**63), 2**63 - 1),
            "shop": st.none() | st.text(),
            "open": st.none() | st.booleans(),
            "at": st.none() | INSTANTS.map(lambda instant: instant.isoformat()),
            "sold": st.none() | st.sampled_from(["yes", "no"]),
        }
    ),
    min_size=1,
    max_size=8,
)


def typed(name: str, body: bytes) -> pa.RecordBatch:
    content_type = next(each.media_types[0] for each in formats() if each.name == name)
    rows, dead = typed_rows(read_rows(content_type, body, TARGET.wanted), TARGET, "batch")
    assert dead == ()
    return rows


def expected(rows: Rows) -> Rows:
    """What every format has to make of them: NaN is null, instants are instants."""

    def value(name: str, each: Any) -> Any:
        if name == "price" and each is not None and math.isnan(each):
            return None
        return datetime.fromisoformat(each) if name == "at" and each is not None else each

    return [{name: value(name, each[name]) for name in LOOSE.names} for each in rows]


def test_every_discovered_format_is_tested_here() -> None:
    assert {each.name for each in formats()} == set(ENCODERS)


def test_no_two_formats_claim_one_body() -> None:
    body = b'{"price": [1]}'
    claimants = [each.name for each in formats() if "application/json" in each.media_types and each.claims(body)]
    assert claimants == ["columnar JSON"]


@pytest.mark.parametrize("name", sorted(ENCODERS))
@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_a_round_trip_gives_the_same_rows(name: str, rows: Rows) -> None:
    batches = [typed(name, body) for body in ENCODERS[name](rows)]
    found = pa.Table.from_batches(batches).drop_columns([ID])
    assert found.equals(pa.Table.from_pylist(expected(rows), schema=pa.schema(list(SCHEMA)[1:])))


@pytest.mark.parametrize("name", sorted(set(ENCODERS) - {"JSON object"}))
def test_ids_name_the_place_in_the_delivery(name: str) -> None:
    (body,) = ENCODERS[name]([row(), row(), row()])
    assert typed(name, body).column(ID).to_pylist() == ["batch:0", "batch:1", "batch:2"]


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_a_misfit_is_dead_and_its_original_can_be_read_again(name: str) -> None:
    """In Parquet and Arrow a column has one type, so there all prices are text."""
    content_type = next(each.media_types[0] for each in formats() if each.name == name)
    rows = [row(count=None), row(price="dear", count=None)]
    body = _with_text_prices(name, rows)[-1]
    raw = read_rows(content_type, body, TARGET.wanted)
    _, dead = typed_rows(raw, TARGET, "batch")
    (lost,) = dead
    assert (lost.reason, lost.message) == ("wrong-type", "column 'price' is not a number")
    again = read_rows(raw.media_type, raw.original(lost.row), TARGET.wanted)
    assert again.columns["price"].to_pylist() == ["dear"]


def _with_text_prices(name: str, rows: Rows) -> list[bytes]:
    if name not in {"CSV", "Parquet", "Arrow stream"}:
        return ENCODERS[name](rows)
    texts = pa.table({"price": [str(each["price"]) for each in rows]})
    sink = pa.BufferOutputStream()
    if name == "CSV":
        pacsv.write_csv(texts, sink)
    elif name == "Parquet":
        pq.write_table(texts, sink)
    else:
        with pa.ipc.new_stream(sink, texts.schema) as writer:
            writer.write_table(texts)
    return [bytes(sink.getvalue())]


@pytest.mark.parametrize("content_type", sorted({each.media_types[0] for each in formats()}))
@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=200) | st.text(max_size=60).map(str.encode) | st.from_regex(rb'[\[{"a:1,\n}\]]{1,40}'))
def test_no_body_breaks_a_format(content_type: str, body: bytes) -> None:
    """Garbage is unreadable, or dead rows, never another exception."""
    try:
        raw = read_rows(content_type, body, TARGET.wanted)
    except UnreadableBody:
        return
    rows, dead = typed_rows(raw, TARGET, "batch")
    assert rows.num_rows + len(dead) == raw.received
    assert all(isinstance(raw.original(each.row), bytes) for each in dead)


@pytest.mark.parametrize("damage", [slice(0, -9), slice(7, None), slice(0, 40)])
@pytest.mark.parametrize("name", ["Parquet", "Arrow stream"])
def test_damaged_binary_bodies_are_unreadable(name: str, damage: slice) -> None:
    (body,) = ENCODERS[name]([row(), row()])
    content_type = next(each.media_types[0] for each in formats() if each.name == name)
    with pytest.raises(UnreadableBody):
        typed_rows(read_rows(content_type, body[damage], TARGET.wanted), TARGET, "batch")


@pytest.mark.parametrize("rest", ["itself", "garbage"])
def test_nothing_may_follow_the_end_of_an_arrow_stream(rest: str) -> None:
    """Its rows would be ignored, and called accepted."""
    body = arrow_body([row(), row()])
    with pytest.raises(UnreadableBody, match="bytes follow the end of the Arrow stream"):
        read_rows("application/vnd.apache.arrow.stream", body + (body if rest == "itself" else b"garbage"), ["price"])
    assert read_rows("application/vnd.apache.arrow.stream", body[:-8], ["price"]).received == 2, (
        "the end may be missing"
    )


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'[{"price": 1},\n {"price": 1e400}]', "line 2, character 12"),
        (b'[{"shop": "secret"}, {"shop": "\\ud800"}]', "line 1, character 32"),
        (b'[{"price": NaN}, {"price": secret}]', "line 1, character 28"),
        (b'[{"price": 1},\n {"shop": "\xff"}]', "byte 26"),
    ],
)
def test_json_that_is_none_is_refused_with_the_place_and_without_a_quotation(body: bytes, place: str) -> None:
    with pytest.raises(UnreadableBody, match=place) as caught:
        read_rows("application/json", body, TARGET.wanted)
    assert "secret" not in str(caught.value)


def test_a_cloudevent_may_carry_any_other_format() -> None:
    body = csv_body([row(), row(price=2.5)])
    content = event(1, datacontenttype="text/csv", data_base64=base64.b64encode(body).decode())
    assert typed("CloudEvent", json.dumps(content).encode()).column("price").to_pylist() == [1.5, 2.5]


@pytest.mark.parametrize(
    "content",
    [{"data": row()}, event(1), event(1, data=row(), specversion="0.3"), [1], 5,
     event(1, datacontenttype="application/cloudevents+json", data="{}")],
)  # fmt: skip
def test_what_is_no_cloudevent_is_refused(content: Any) -> None:
    with pytest.raises(UnreadableBody):
        read_rows("application/cloudevents+json", json.dumps(content).encode(), TARGET.wanted)


@pytest.mark.parametrize(
    "wrong",
    [{"id": None}, {"id": ""}, {"id": 5}, {"source": ""}, {"type": None}, {"specversion": "2.0"}, {"specversion": 1.0},
     {"time": "yesterday"}, {"time": "2024-01-02"}, {"time": "2024-01-02T03:04:05"}, {"time": 5}],
)  # fmt: skip
def test_events_are_judged_alike_alone_and_in_a_batch(wrong: dict[str, Any]) -> None:
    bad = event(1, data=row()) | wrong
    with pytest.raises(UnreadableBody) as alone:
        read_rows("application/cloudevents+json", json.dumps(bad).encode(), TARGET.wanted)
    good = event(2, data=row(), time="2024-01-02t23:59:60.5+01:00")
    raw = read_rows("application/cloudevents-batch+json", json.dumps([good, bad]).encode(), TARGET.wanted)
    assert [(each.row, each.reason, each.message) for each in raw.dead] == [(1, alone.value.reason, str(alone.value))]
    assert json.loads(raw.original(1)) == bad
    assert read_rows("application/cloudevents+json", json.dumps(good).encode(), TARGET.wanted).received == 1


def test_epoch_milliseconds_and_rfc_3339_are_the_same_instant() -> None:
    instant = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    milliseconds = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    batch = typed("JSON array", json.dumps([row(at=instant.isoformat()), row(at=milliseconds)]).encode())
    assert batch.column("at").to_pylist() == [instant, instant]
