"""What a backtest's figures cover, and where its alarms lie, on real runs of the embedded system."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from services.backtest.last_class import last_class
from services.backtest.replay import Replay, replay
from services.backtest.result import PolicyResult
from shared.adapters.memory import MemoryBlobs
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import DriftPolicy, Estimator, InputDriftPolicy, Pipeline
from shared.events.drift_detection import DriftDetected

ROWS, WINDOW = 800, 200
UNREADABLE, FORBIDDEN, UNLABELLED = slice(250, 260), slice(300, 315), slice(400, 420)


def table(*, one_class_until: int = 0, turns_at: int = ROWS, spoilt: bool = False) -> pa.Table:
    """Rows whose class follows from ``x``, the other way round from ``turns_at`` on."""
    random = np.random.default_rng(5)
    values = random.random(ROWS)
    classes = np.where((values > 0.5) != (np.arange(ROWS) >= turns_at), "up", "down").astype(object)
    classes[:one_class_until] = "up"
    x = np.array([f"{value:.4f}" for value in values], dtype=object)
    if spoilt:
        x[UNREADABLE], x[FORBIDDEN], classes[UNLABELLED] = "broken", "7.5", None
    return pa.table({"x": pa.array(x.tolist()), "y": pa.array(classes.tolist(), pa.string())})


def what(rows: pa.Table, delay: int = 0, lanes: int = 1) -> Replay:
    contract = Contract(features=(Feature(name="x", kind=Kind.NUMBER, maximum=1.0),), label=Label(name="y"))
    drift = DriftPolicy(inputs=InputDriftPolicy(epoch=50))
    tree = Estimator(path="sklearn.tree.DecisionTreeClassifier", parameters={"max_depth": 3})
    pipeline = Pipeline(name="line", contract=contract, estimator=tree, window=WINDOW, drift=drift, lanes=lanes)

    def source(size: int) -> Iterator[pa.RecordBatch]:
        return iter(rows.combine_chunks().to_batches(max_chunksize=size))

    return Replay(pipeline, source, delay)


def ran(replayed: Replay, policy: str = "never") -> PolicyResult:
    return replay(replayed, policy, MemoryBlobs(), lambda _: None)


@pytest.mark.parametrize(("delay", "lanes"), [(0, 1), (30, 1), (0, 2)])
def test_every_record_is_scored_refused_unlabelled_or_older_than_the_model(delay: int, lanes: int) -> None:
    result = ran(what(table(spoilt=True), delay, lanes))
    found = result.coverage
    assert (found.refused, found.unlabelled, found.served_from) == (25, 20, WINDOW)
    assert result.quality.n == ROWS - WINDOW - 25 - 20


def test_a_whole_stream_leaves_nothing_out() -> None:
    found = ran(what(table())).coverage
    assert (found.refused, found.unlabelled, found.served_from) == (0, 0, WINDOW)


def test_one_class_at_the_beginning_delays_the_first_model_and_shows() -> None:
    result = ran(what(table(one_class_until=300)))
    served_from = result.coverage.served_from
    assert served_from is not None
    assert served_from > 300
    assert result.quality.n == ROWS - served_from


def test_what_needs_no_model_counts_unlabelled_records_too() -> None:
    assert last_class(what(table(spoilt=True)), lambda _: None).coverage.unlabelled == 20


@cache
def turned(spoilt: bool) -> PolicyResult:
    return ran(what(table(turns_at=600, spoilt=spoilt)), "drift")


def test_an_alarm_is_the_index_of_the_last_record_that_had_come_in() -> None:
    result = turned(spoilt=False)
    detected = [event.row for event in result.ledger if isinstance(event, DriftDetected)]
    assert detected
    assert result.alarms == tuple(row - 1 for row in detected)
    assert all(600 <= alarm < ROWS for alarm in result.alarms)


def test_records_that_ingestion_refused_do_not_shift_an_alarm() -> None:
    """The row of the ledger counts received rows, which these never became."""
    result = turned(spoilt=True)
    detected = [event.row for event in result.ledger if isinstance(event, DriftDetected)]
    assert detected
    assert result.alarms == tuple(row - 1 + 10 for row in detected)


def test_an_alarm_at_the_very_end_is_the_last_record() -> None:
    """The stream stops with the step that alarmed."""
    end = turned(spoilt=False).alarms[0] + 1
    result = ran(what(table(turns_at=600).slice(0, end)), "drift")
    assert result.alarms == (end - 1,)
