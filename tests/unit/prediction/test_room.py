"""What waits never makes a state that the log refuses: the oldest is given up, and counted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast

import pyarrow as pa
import pytest

from services.prediction.core import PredictionState
from services.prediction.joining import EARLY, ROOM
from services.prediction.telemetry import PredictionTelemetry
from shared.adapters.kafka.topics import snapshot_topic
from shared.domain.rows import ID, LONGEST_NAME, POSITION, decode_batch, predictions_schema
from shared.events.topics import PERFORMANCE, PREDICTIONS
from shared.operations.metrics import Metrics
from shared.runtime.advance import Held
from shared.runtime.codec import encode
from shared.runtime.core import Append, Unit
from tests.unit.operations.numbers import number
from tests.unit.prediction.bench import NAME, Bench, Row, cells, pipeline

STATE = snapshot_topic("prediction").max_message_bytes
SOME = 5_000


def saved(bench: Bench) -> int:
    """Bytes of the state, as the log has to take them."""
    return len(encode(Held(bench.state(), {}), cast(Any, Held)[PredictionState]))


def waiting(bench: Bench, table: str) -> int:
    stored = getattr(bench.state().waiting, table)
    return len(pa.ipc.open_stream(stored).read_all()) if stored else 0


def parts(n: int, size: int = SOME) -> Iterator[range]:
    yield from (range(start, min(start + size, n)) for start in range(0, n, size))


def uuid_like(number: int) -> str:
    return f"{number:036d}:{number % 500:03d}"


@pytest.fixture
def bench() -> Bench:
    bench = Bench(pipeline("late", label_wait=1_000_000, window=20_000))
    bench.serve("4dd54d33-0fc5-5d3c-a3b5-0a44c4b1b1d1")
    return bench


def test_labels_for_nobody_that_come_while_no_rows_do_leave_the_state_within_the_logs_limit(bench: Bench) -> None:
    for some in parts(300_000, 10_000):
        bench.labels([(f"nobody-{uuid_like(i)}", "yes") for i in some])
        assert saved(bench) < STATE
    bench.rows([("a", 1.0, None), ("b", -1.0, None)])
    bench.labels([("a", "yes"), ("b", "no")])
    assert bench.labelled == 2
    assert bench.state().unmatched + waiting(bench, "labels") == 300_000
    assert bench.state().unmatched > 0


def test_labels_for_nobody_take_no_more_than_their_share_from_rows_that_wait(bench: Bench) -> None:
    for some in parts(120_000):
        bench.rows([(uuid_like(i), 1.0, None) for i in some])
    before = waiting(bench, "predictions")
    for some in parts(60_000):
        bench.labels([(f"nobody-{i}", "yes") for i in some])
    given_up = before - waiting(bench, "predictions")
    assert 0 < given_up < before * 1.1 * EARLY / ROOM
    newest = range(120_000 - SOME, 120_000)
    bench.labels([(uuid_like(i), "yes") for i in newest])
    assert bench.labelled == len(newest)


def test_a_hundred_thousand_rows_with_ids_of_forty_characters_may_wait(bench: Bench) -> None:
    for some in parts(100_000):
        bench.rows([(uuid_like(i), 1.0, None) for i in some])
    assert (waiting(bench, "predictions"), bench.state().unlabelled) == (100_000, 0)
    assert saved(bench) < STATE


def test_rows_with_the_longest_ids_are_given_up_oldest_first_and_every_one_is_counted(bench: Bench) -> None:
    ids = [f"{i:0{LONGEST_NAME}d}" for i in range(30_000)]
    for some in parts(len(ids), 1_000):
        bench.rows([(ids[i], 1.0, None) for i in some])
        assert saved(bench) < STATE
    unlabelled = bench.state().unlabelled
    assert unlabelled + waiting(bench, "predictions") == len(ids)
    bench.labels([(ids[unlabelled - 1], "yes"), (ids[unlabelled], "yes"), (ids[-1], "no")])
    assert bench.labelled == 2
    assert bench.state().unlabelled == unlabelled


def test_rows_that_found_their_labels_leave_the_state_within_the_limit_too(bench: Bench) -> None:
    for some in parts(300_000, 10_000):
        bench.rows([(uuid_like(i), 1.0, None) for i in some])
        bench.labels([(uuid_like(i), "yes") for i in some])
        assert saved(bench) < STATE
    assert (bench.labelled, bench.state().unlabelled, bench.state().unmatched) == (300_000, 0, 0)
    bench.labels([(uuid_like(299_999), "no")])
    assert bench.state().conflicting == 1


def test_labels_far_ahead_of_their_rows_meet_them_all_as_far_as_there_is_room(bench: Bench) -> None:
    for some in parts(100_000):
        bench.labels([(uuid_like(i), "yes") for i in some])
    for some in parts(100_000):
        bench.rows([(uuid_like(i), 1.0, None) for i in some])
    assert (bench.labelled, bench.state().unmatched) == (100_000, 0)


def test_labels_that_were_given_up_are_a_number_whatever_the_reason() -> None:
    metrics, bench = Metrics(), Bench(pipeline("late", label_wait=5))
    telemetry = PredictionTelemetry(metrics)
    telemetry.moved(Unit(NAME, 0), bench.state())
    bench.labels([("nobody", "yes"), ("stranger", "yes")])
    bench.rows([(f"r{i}", 1.0, None) for i in range(9)])
    telemetry.moved(Unit(NAME, 0), bench.state())
    assert number(metrics, "labels_total", pipeline=NAME, outcome="unmatched") == 2


def predictions(bench: Bench) -> list[Append]:
    return [effect for effect in bench.made if effect.topic == PREDICTIONS.name]


def test_labels_that_are_all_different_and_long_are_counted_in_as_many_events_as_they_need() -> None:
    inline = Bench(pipeline("inline", window=20_000))
    inline.serve("one")
    rows: list[Row] = [(f"r{i}", 1.0, f"{i:0{LONGEST_NAME}d}") for i in range(1_500)]
    inline.rows(rows)
    assert len(inline.counted) > 1
    assert all(len(message.value) <= PERFORMANCE.max_message_bytes for message, _ in inline.performance)
    assert all(before.last == after.first for before, after in pairwise(inline.counted))
    assert (inline.counted[0].first, inline.counted[-1].last) == (0, len(rows))
    assert cells(inline.versions["one"]) == {(label, "yes"): 1 for _, _, label in rows}


def test_predictions_of_long_classes_go_in_as_many_messages_as_they_need() -> None:
    bench = Bench(pipeline())
    bench.serve("one", classes=("y" * LONGEST_NAME, "n" * LONGEST_NAME))
    rows: list[Row] = [(f"r{i}", 1.0, None) for i in range(16_384)]
    bench.rows(rows, skipped=7)
    schema = predictions_schema(bench.pipeline.contract)
    made = predictions(bench)
    answers = [decode_batch(each.value, schema) for each in made]
    assert len(made) > 1
    assert all(len(each.value) <= PREDICTIONS.max_message_bytes for each in made)
    assert [name for answer in answers for name in answer.column(ID).to_pylist()] == [row[0] for row in rows]
    assert [int(each.headers["rows"]) for each in made] == [answer.num_rows for answer in answers]
    assert len({each.headers["ce_id"] for each in made}) == len(made)
    ends = [int(each.headers["last"]) for each in made]
    assert [int(each.headers["first"]) for each in made] == [0, *ends[:-1]]
    assert ends[-1] == 7 + len(rows)
    for each, answer in zip(made, answers, strict=True):
        assert int(each.headers["first"]) <= answer.column(POSITION)[0].as_py() < int(each.headers["last"])
