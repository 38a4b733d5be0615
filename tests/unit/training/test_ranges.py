"""Marks, frozen ranges and assembly: "labelled rows [first, last)" are the very rows that prediction joined there."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.training.dataset import ReadRange, Source, assemble, conformed, content_hash, label_positions
from services.training.marks import Marks, add_mark, freeze, labels_seen
from shared.events.training import DataRange
from shared.runtime.core import Message, Unit
from tests.unit.prediction.bench import NAME, Bench, pipeline
from tests.unit.prediction.deliveries import Delivery, deliver, deliver_inline, deliveries

EVER = 10**9


def marks_of(bench: Bench, keep: int = EVER) -> Marks:
    marks: Marks = ()
    for event in bench.counted:
        marks = add_mark(marks, event, keep)
    return marks


def source(bench: Bench, read: ReadRange) -> Source:
    return Source(bench.pipeline.contract, read, lambda _: bench.pipeline.contract)


def assembled(bench: Bench, data: DataRange) -> list[tuple[str, str]]:
    def read(topic: str, unit: Unit, first: int, last: int) -> list[Message]:
        messages = bench.log.read(topic, 0, 0, EVER)
        return [m for m in messages if first <= m.offset < last and int(m.headers["lane"]) == unit.lane]

    table = assemble(NAME, source(bench, read), data)
    assert all(a < b for a, b in zip(label_positions(table), label_positions(table)[1:], strict=False))
    return list(zip(table["_id"].to_pylist(), table["y"].to_pylist(), strict=True))


def a_range(data: st.DataObject, labels: int) -> tuple[int, int]:
    first, last = sorted(data.draw(st.tuples(st.integers(0, labels), st.integers(0, labels))))
    return first, last


@settings(max_examples=120, deadline=None)
@given(deliveries(), st.data())
def test_inline_ranges_hold_exactly_their_labelled_rows(messages: list[Delivery], data: st.DataObject) -> None:
    late, bench = Bench(pipeline("late")), Bench(pipeline("inline", window=data.draw(st.sampled_from([20, 40, 200]))))
    account = deliver(late, messages)
    deliver_inline(bench, messages, account)
    names = [name for message in messages for name, _, _ in message.rows if name in account.first]
    if names:
        first, last = a_range(data, len(names))
        want = [(name, account.first[name]) for name in names[first:last]]
        assert assembled(bench, freeze(marks_of(bench), first, last)) == want


@settings(max_examples=200, deadline=None)
@given(deliveries(), st.data())
def test_late_ranges_hold_the_rows_that_prediction_joined_there(messages: list[Delivery], data: st.DataObject) -> None:
    """In any order of arrival: labels before their rows, second labels, labels for nobody."""
    bench = Bench(pipeline("late", window=data.draw(st.sampled_from([20, 40, 200]))))
    account = deliver(bench, messages)
    if account.joined:
        first, last = a_range(data, len(account.joined))
        found = assembled(bench, freeze(marks_of(bench), first, last))
        assert sorted(found) == sorted(account.joined[first:last])


@settings(max_examples=80, deadline=None)
@given(deliveries(early=False), st.data())
def test_labels_after_their_rows_give_their_own_order(messages: list[Delivery], data: st.DataObject) -> None:
    bench = Bench(pipeline("late", window=20))
    account = deliver(bench, messages)
    if account.joined and not account.was_early:
        first, last = a_range(data, len(account.joined))
        assert assembled(bench, freeze(marks_of(bench), first, last)) == account.joined[first:last]


@settings(max_examples=60, deadline=None)
@given(deliveries(), st.data())
def test_a_range_within_the_kept_memory_needs_no_older_marks(messages: list[Delivery], data: st.DataObject) -> None:
    bench = Bench(pipeline("late", window=20))
    account = deliver(bench, messages)
    if account.joined:
        keep = data.draw(st.integers(1, 60))
        last = len(account.joined)
        first = max(0, last - data.draw(st.integers(0, keep)))
        found = assembled(bench, freeze(marks_of(bench, keep), first, last))
        assert sorted(found) == sorted(account.joined[first:last])


@settings(max_examples=30, deadline=None)
@given(deliveries(), st.data())
def test_a_repeated_count_adds_no_mark(messages: list[Delivery], data: st.DataObject) -> None:
    bench = Bench(pipeline("late", window=20))
    deliver(bench, messages)
    marks = marks_of(bench)
    for event in data.draw(st.lists(st.sampled_from(bench.counted))) if bench.counted else []:
        assert add_mark(marks, event, EVER) == marks


def test_lanes_take_turns_so_that_newer_rows_come_last() -> None:
    """Recency weights, hold-outs and splits go by the order of the rows."""
    bench = Bench(pipeline(lanes=2))
    for start in range(0, 40, 10):
        for lane in (0, 1):
            bench.rows([(f"{start + i}/{lane}", 1.0, "yes") for i in range(10)], lane=lane)
    found = [name for name, _ in assembled(bench, freeze(marks_of(bench), 20, 60))]
    assert found == [f"{i}/{lane}" for i in range(10, 30) for lane in (0, 1)]


def test_a_lane_that_lags_behind_gives_what_it_has() -> None:
    bench = Bench(pipeline(lanes=2))
    bench.rows([(f"a{i}", 1.0, "yes") for i in range(100)], lane=0)
    bench.rows([(f"b{i}", 1.0, "yes") for i in range(10)], lane=1)
    marks = marks_of(bench)
    assert labels_seen(marks) == 110
    found = [name for name, _ in assembled(bench, freeze(marks, 80, 110))]
    assert found == [f"a{i}" for i in range(40, 55)]


def test_rows_under_a_fault_are_left_out_and_the_others_keep_their_places() -> None:
    bench = Bench(pipeline())
    bench.rows([(f"r{i}", 1.0, "yes") for i in range(100)])
    data = freeze(marks_of(bench), 20, 80, ((30, 40), (70, 90)))
    found = [name for name, _ in assembled(bench, data)]
    assert found == [f"r{i}" for i in (*range(20, 30), *range(40, 70))]


@pytest.mark.parametrize("arrives", ["inline", "late"])
def test_a_range_without_rows_is_an_empty_table_of_the_same_columns(arrives: str) -> None:
    bench = Bench(pipeline(arrives))
    assert assembled(bench, freeze((), 0, 0)) == []


def test_the_same_range_has_the_same_content_hash_and_another_has_another() -> None:
    bench = Bench(pipeline())
    bench.rows([(f"r{i}", 1.0, "yes") for i in range(50)])

    def hashed(first: int, last: int) -> str:
        def read(topic: str, unit: Unit, start: int, end: int) -> list[Message]:
            return [m for m in bench.log.read(topic, 0, 0, EVER) if start <= m.offset < end]

        return content_hash(assemble(NAME, source(bench, read), freeze(marks_of(bench), first, last)))

    assert hashed(0, 40) == hashed(0, 40) != hashed(0, 41)


def test_rows_that_were_typed_by_an_older_contract_keep_their_names_whatever_the_order_now() -> None:
    old = pa.RecordBatch.from_pydict({"x": [9.0], "y": [1.0], "gone": ["a"], "count": [3], "shift": ["early"]})
    number, flag, text = pa.float64(), pa.bool_(), pa.string()
    new = pa.schema([("y", number), ("x", number), ("count", number), ("shift", flag), ("fresh", text)])
    row = {"y": 1.0, "x": 9.0, "count": 3.0, "shift": None, "fresh": None}
    assert conformed(old, new).to_pylist() == [row]
