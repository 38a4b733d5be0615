"""Repeating the last known label, by the rule and not by the code."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from services.backtest.last_class import last_class
from services.backtest.replay import Replay
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import Pipeline

INITIAL = 20
LABELS = st.lists(st.sampled_from(["a", "b", None]), min_size=0, max_size=120)


def stream_of(labels: list[str | None], delay: int, task: str = "classification") -> Replay:
    contract = Contract(
        features=(Feature(name="x", kind=Kind.NUMBER),), label=Label.model_validate({"name": "y", "task": task})
    )

    def source(rows: int) -> Iterator[pa.RecordBatch]:
        batch = pa.RecordBatch.from_pydict({"y": pa.array(labels, pa.string())})
        yield from (batch.slice(start, min(rows, 7)) for start in range(0, len(labels), min(rows, 7)))

    return Replay(Pipeline(name="test", contract=contract, window=INITIAL), source, delay)


def by_hand(labels: list[str | None], delay: int) -> tuple[int, int]:
    """(labelled rows scored, right ones), looking back row by row."""
    scored = right = 0
    for row in range(INITIAL, len(labels)):
        known = [label for label in labels[: max(INITIAL, row - delay)] if label is not None]
        if labels[row] is not None and known:
            scored += 1
            right += labels[row] == known[-1]
    return scored, right


@settings(max_examples=60, deadline=None)
@given(LABELS, st.integers(0, 60))
def test_a_row_is_what_the_last_label_known_by_then_was(labels: list[str | None], delay: int) -> None:
    result = last_class(stream_of(labels, delay), lambda _: None)
    right = sum(count for true, said, count in result.quality.confusion if true == said)
    assert (result.quality.n, right) == by_hand(labels, delay)


def test_the_curve_adds_up_to_the_whole() -> None:
    result = last_class(stream_of(["a", "b", "b"] * 300, 3), lambda _: None)
    assert sum(point.quality.n for point in result.curve) == result.quality.n == 900 - INITIAL
    assert result.curve[-1].row == 900


def test_a_number_is_what_the_last_one_was() -> None:
    values = [str(float(value)) for value in range(40)]
    result = last_class(stream_of([*values], 4, "regression"), lambda _: None)
    assert result.quality.n == 20
    # Rows 20 to 23 look back on row 19, the last of the initial ones; from then on on the row five before.
    assert result.quality.absolute == (1 + 2 + 3 + 4 + 16 * 5) * 1_000_000
