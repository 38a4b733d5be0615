"""A small body may say that it is a large one: it is refused before its rows take memory."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.ingestion.core import MOST_DEAD_BYTES
from services.ingestion.formats._limits import MOST_BYTES, MOST_CELLS, MOST_ROWS
from services.ingestion.raw import ARROW_STREAM
from services.ingestion.registry import formats
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import Pipeline
from shared.runtime.core import Append, Message
from tests.unit.ingestion.doors import NOW, Door

PARQUET = "application/vnd.apache.parquet"
MANY = 4 * MOST_ROWS
ROOM = 16 << 20
"""Bytes that Arrow may take for a refusal, beyond what it had."""


def stream(table: pa.Table, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=1 << 40)
    return sink.getvalue()


def parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", **options)
    return sink.getvalue()


def named_often(length: int, rows: int) -> pa.Table:
    return pa.table({"shop": pa.DictionaryArray.from_arrays(np.zeros(rows, np.int8), pa.array(["x" * length]))})


def seen_often(length: int, rows: int) -> pa.Table:
    _, view, text = pa.array(["x" * length]).cast(pa.string_view()).buffers()
    views = pa.py_buffer(view.to_pybytes() * rows)
    return pa.table({"shop": pa.Array.from_buffers(pa.string_view(), rows, [None, views, text])})


def zeros(rows: int) -> pa.Table:
    return pa.table({"price": np.zeros(rows)})


def runs(rows: int) -> pa.Table:
    return pa.table({"price": pa.RunEndEncodedArray.from_arrays(pa.array([rows], pa.int32()), pa.array([1.0]))})


def list_of(rows: int) -> pa.Table:
    return pa.table({"price": pa.ListArray.from_arrays(pa.array([0, rows], pa.int32()), pa.array(np.zeros(rows)))})


BOMBS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "packed Arrow": (lambda: stream(zeros(MANY), "zstd"), ARROW_STREAM, "too-many-rows"),
    "Arrow nulls": (lambda: stream(pa.table({"price": pa.nulls(MANY)})), ARROW_STREAM, "too-many-rows"),
    "Arrow runs": (lambda: stream(runs(MANY)), ARROW_STREAM, "too-many-rows"),
    "packed text": (lambda: stream(pa.table({"shop": ["x" * 4 * MOST_BYTES]}), "zstd"), ARROW_STREAM, "body-too-large"),
    "dictionary": (lambda: stream(named_often(1 << 20, 100_000), "lz4"), ARROW_STREAM, "body-too-large"),
    "views": (lambda: stream(seen_often(1 << 20, 100_000), "zstd"), ARROW_STREAM, "body-too-large"),
    "Parquet": (lambda: parquet(zeros(MANY)), PARQUET, "too-many-rows"),
    "Parquet nulls": (lambda: parquet(pa.table({"price": pa.nulls(MANY, pa.string())})), PARQUET, "too-many-rows"),
    "Parquet dictionary": (lambda: parquet(named_often(1 << 19, 100_000)), PARQUET, "body-too-large"),
    "Parquet list": (lambda: parquet(list_of(20_000_000)), PARQUET, "body-too-large"),
    "CSV": (lambda: b"price\n" + b"1\n" * MANY, "text/csv", "too-many-rows"),
    "NDJSON": (lambda: b"1\n" * MANY, "application/x-ndjson", "too-many-rows"),
    "JSON": (lambda: b"[" + b"1," * MANY + b"1]", "application/json", "too-many-rows"),
    "columns": (lambda: b'{"price":[' + b"1," * MANY + b"1]}", "application/json", "too-many-rows"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_unpack_to_too_much_is_refused_before_it_does(name: str) -> None:
    make, content_type, reason = BOMBS[name]
    body, pool, door = make(), pa.default_memory_pool(), Door()
    assert len(body) < 8 << 20
    watched = pa.proxy_memory_pool(pool)
    pa.set_memory_pool(watched)
    try:
        status, answer, appends = door.send(body, content_type)
    finally:
        pa.set_memory_pool(pool)
    assert (status, answer["reason"], appends) == (413, reason, [])
    assert (watched.max_memory() or 0) < ROOM


@pytest.mark.parametrize("name", ["packed Arrow", "Parquet"])
def test_on_a_topic_it_is_one_letter(name: str) -> None:
    make, content_type, reason = BOMBS[name]
    body = make()
    (letter,) = Door().hear(Message("till", 0, 7, NOW, "shop", body, {"content-type": content_type})).effects
    assert isinstance(letter, Append)
    assert (letter.value, letter.headers["driftloop.reason"]) == (body, reason)


def test_a_packed_buffer_is_believed_to_be_as_long_as_it_says() -> None:
    """Arrow would set aside as much memory as is declared, before it finds that there is less."""
    body = bytearray(stream(pa.table({"price": np.zeros(1000)}), "zstd"))
    declared = struct.pack("<q", 8000)
    assert body.count(declared) == 1
    place = body.index(declared)
    body[place : place + 8] = struct.pack("<q", 1 << 40)
    status, answer, _ = Door().send(bytes(body), ARROW_STREAM)
    assert (status, answer["reason"]) == (413, "body-too-large")


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_what_is_within_the_limits_is_read_however_it_is_wrapped(kind: pa.DataType, compression: str | None) -> None:
    table = pa.table({"shop": pa.array(["north", None, "x" * 50] * 50).cast(kind), "price": np.arange(150.0)}).slice(1)
    door = Door()
    status, answer, (append,) = door.send(stream(table, compression), ARROW_STREAM)
    assert (status, answer["accepted"]) == (202, 149)
    assert door.rows(append).select(["price", "shop"]).to_pylist() == table.select(["price", "shop"]).to_pylist()


def test_dictionaries_that_grow_from_batch_to_batch_are_read_and_bounded() -> None:
    texts = [["a"], ["a", "b"], ["a", "b", "c"]]
    sink = io.BytesIO()
    kind = pa.dictionary(pa.int8(), pa.string())
    schema = pa.schema([("shop", kind)])
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)) as writer:
        for each in texts:
            indices = pa.array(range(len(each)), pa.int8())
            column = pa.DictionaryArray.from_arrays(indices, pa.array(each))
            writer.write_batch(pa.RecordBatch.from_arrays([column], schema=schema))
    door = Door()
    _, _, (append,) = door.send(sink.getvalue(), ARROW_STREAM)
    assert door.rows(append).column("shop").to_pylist() == ["a", "a", "b", "a", "b", "c"]


def test_a_wide_contract_takes_fewer_rows_at_once() -> None:
    width = 100
    wide = Contract(
        features=tuple(Feature(name=f"x{i}", kind=Kind.NUMBER) for i in range(width)), label=Label(name="y")
    )
    door = Door(Pipeline(name="shop", contract=wide))
    rows = MOST_CELLS // width + 1
    status, answer, _ = door.send(b'{"x0":[' + b",".join([b"1"] * rows) + b"]}")
    assert (status, answer["reason"]) == (413, "too-many-rows")


def test_letters_that_repeat_a_long_header_are_bounded_by_their_bytes() -> None:
    body = b"price," + b"y" * (MOST_DEAD_BYTES // 1000) + b"\n" + b"x\n" * 5000
    status, answer, appends = Door().send(body, "text/csv")
    assert (status, answer["reason"], appends) == (422, "too-many-dead", [])


def test_texts_whose_length_nothing_tells_are_refused() -> None:
    options = {"use_dictionary": False, "column_encoding": {"shop": "DELTA_BYTE_ARRAY"}}
    body = parquet(pa.table({"shop": ["x" * 1000] * 10}), **options)
    assert Door().send(body, PARQUET)[1]["message"].startswith("encoding DELTA_BYTE_ARRAY is not read here")


def test_every_format_is_bounded() -> None:
    """The events carry what another format reads, or are rows of JSON."""
    bounded = {media for _, media, _ in BOMBS.values()}
    unbounded = {each.name for each in formats() if not bounded & {*each.media_types}}
    assert unbounded == {"CloudEvent", "CloudEvents batch"}


def test_a_forged_view_behind_a_null_is_not_followed() -> None:
    """Arrow validates no slot that is null, and its cast reads all of them."""
    views = np.array([[1, ord("a"), 0, 0], [-(1 << 24), 0, 0, 0]], np.int32)
    forged = pa.Array.from_buffers(pa.string_view(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(views)])
    door = Door()
    _, _, (append,) = door.send(stream(pa.table({"shop": forged})), ARROW_STREAM)
    assert door.rows(append).column("shop").to_pylist() == ["a", None]
