"""What predictions were worth does not depend on when, where or how often their labels came."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingestion.messages import lanes_of
from shared.domain.quality import MILLION, Quality
from shared.domain.rows import decode_batch, predictions_schema
from shared.events.topics import PREDICTIONS
from tests.unit.prediction.bench import Bench, Row, cells, pipeline
from tests.unit.prediction.deliveries import Delivery, deliver, deliver_inline, deliveries


def rows_of(n: int, label: str | None = "yes") -> list[Row]:
    return [(f"r{i}", 1.0 if i % 3 else -1.0, label) for i in range(n)]


@settings(max_examples=120, deadline=None)
@given(deliveries())
def test_late_labels_count_as_inline_ones_would(messages: list[Delivery]) -> None:
    late, inline = Bench(pipeline("late")), Bench(pipeline("inline"))
    account = deliver(late, messages)
    deliver_inline(inline, messages, account)
    assert late.versions == inline.versions
    assert late.labelled == inline.labelled == len(account.joined)


@settings(max_examples=60, deadline=None)
@given(deliveries())
def test_second_labels_that_differ_are_counted_and_change_nothing(messages: list[Delivery]) -> None:
    bench = Bench(pipeline("late"))
    account = deliver(bench, messages)
    assert bench.state().conflicting == account.conflicting


@settings(max_examples=60, deadline=None)
@given(deliveries())
def test_a_slice_lies_within_one_step_and_slices_follow_on_each_other(messages: list[Delivery]) -> None:
    bench = Bench(pipeline("late", window=20))
    deliver(bench, messages)
    steps = bench.pipeline.steps
    assert all(steps.number(event.first) == steps.number(event.last - 1) for event in bench.counted)
    assert all(before.last == after.first for before, after in pairwise(bench.counted))
    assert [event.first for event in bench.counted[:1]] in ([], [0])


def test_a_step_that_begins_with_the_second_training_has_its_own_size() -> None:
    bench = Bench(pipeline(window=80))
    bench.rows(rows_of(85))
    assert [(event.first, event.last) for event in bench.counted] == [(0, 80), (80, 82), (82, 84), (84, 85)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=150), st.sampled_from([2, 4]))
def test_lanes_add_up_to_what_one_lane_counts(sides: list[tuple[bool, bool]], lanes: int) -> None:
    rows = [(f"r{i}", 1.0 if x else -1.0, "yes" if y else "no") for i, (x, y) in enumerate(sides)]
    lane = lanes_of([row[0] for row in rows], lanes)
    one, many = Bench(pipeline(window=40)), Bench(pipeline(window=40, lanes=lanes))
    for bench in (one, many):
        bench.serve("one")
    one.rows(rows)
    for number in range(lanes):
        if mine := [row for row, its in zip(rows, lane, strict=True) if its == number]:
            many.rows(mine, lane=number)
    assert one.versions == many.versions


def test_a_row_belongs_to_the_version_that_predicted_it_not_to_the_one_that_serves_when_its_label_comes() -> None:
    bench = Bench(pipeline("late"))
    bench.serve("one", 1)
    bench.rows([("a", 1.0, None)])
    bench.serve("two", -1)
    bench.rows([("b", 1.0, None)])
    bench.labels([("b", "yes"), ("a", "yes")])
    assert cells(bench.versions["one"]) == {("yes", "yes"): 1}
    assert cells(bench.versions["two"]) == {("yes", "no"): 1}
    assert bench.counted[-1].serving == "two"


def test_a_repeated_word_about_an_older_champion_changes_nothing() -> None:
    bench = Bench(pipeline())
    bench.serve("one", 1)
    old = bench.log.read("serving", 0, 0, 1)[0]
    bench.serve("two", -1)
    bench._handle(0, old)
    assert bench.state().version == "two"


def test_without_a_champion_nothing_is_predicted_but_labels_are_counted() -> None:
    bench = Bench(pipeline())
    bench.serve(None)
    bench.rows(rows_of(7))
    assert bench.labelled == 7
    assert bench.versions == {}
    assert not [effect for effect in bench.made if effect.topic == PREDICTIONS.name]


def test_each_row_is_predicted_once_with_a_score_under_its_version() -> None:
    bench = Bench(pipeline())
    bench.serve("one")
    bench.rows([("a", 1.0, None), ("b", -1.0, "no")])
    (made,) = [effect for effect in bench.made if effect.topic == PREDICTIONS.name]
    answer = decode_batch(made.value, predictions_schema(bench.pipeline.contract)).to_pylist()
    assert [(row["_id"], row["predicted"], row["score"]) for row in answer] == [("a", "yes", 1.0), ("b", "no", 1.0)]
    assert made.headers["version"] == "one"


def test_a_row_without_a_label_is_given_up_after_the_wait_and_counted() -> None:
    bench = Bench(pipeline("late", label_wait=50))
    bench.serve("one")
    for start in range(0, 200, 10):
        bench.rows([(f"r{i}", 1.0, None) for i in range(start, start + 10)])
    assert bench.state().unlabelled == 150
    bench.labels([(f"r{i}", "yes") for i in range(200)])
    assert bench.labelled == 50
    assert bench.state().unlabelled + bench.labelled == 200


def test_a_label_for_nobody_does_not_wait_for_ever() -> None:
    bench = Bench(pipeline("late", label_wait=50))
    bench.serve("one")
    for start in range(0, 300, 10):
        bench.labels([(f"nobody-{i}", "yes") for i in range(start, start + 10)])
        bench.rows([(f"r{i}", 1.0, None) for i in range(start, start + 10)])
    held = bench.state().waiting.labels
    assert b"nobody-299" in held
    assert b"nobody-199" not in held


def test_a_label_far_ahead_of_a_long_message_still_meets_its_row() -> None:
    bench = Bench(pipeline("late", label_wait=10))
    bench.serve("one")
    bench.labels([("r0", "yes"), ("r99", "yes")])
    bench.rows([(f"r{i}", 1.0, None) for i in range(100)])
    assert bench.labelled == 2


def test_regression_counts_errors_in_the_unit_and_over_the_scale_of_the_version_that_made_them() -> None:
    late, inline = Bench(pipeline("late", "regression")), Bench(pipeline("inline", "regression"))
    for bench in (late, inline):
        bench.serve("one", 1, loss_scale=4.0)
        bench.rows([("a", 1.0, 3.0), ("b", -1.0, -1.5)])
        bench.serve("two", -1, loss_scale=0.5)
    late.labels([("b", -1.5), ("a", 3.0)])
    want = Quality(2, MILLION // 2 + MILLION // 8, (), 2_500_000, 4_250_000)
    assert inline.versions == {"one": want}
    assert late.versions == {"one": want}


@pytest.mark.parametrize("arrives", ["inline", "late"])
def test_single_losses_come_with_the_counts_where_a_plug_in_needs_them(arrives: str) -> None:
    bench = Bench(pipeline(arrives, drift={"detector": "adwin"}))
    bench.serve("one")
    bench.rows([("a", 1.0, "yes"), ("b", 1.0, "no")])
    if arrives == "late":
        bench.labels([("a", "yes"), ("b", "no")])
    assert bench.counted[0].losses == (0.0, 1.0)
