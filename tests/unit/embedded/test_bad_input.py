"""Input that nobody wants, through the whole loop: refused and counted, or borne. No crash, no poisoned model."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from services.embedded.system import Embedded
from services.prediction.core import PredictionState
from services.validation.core import ValidationState
from shared.adapters.memory import MemoryBlobs
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import DriftPolicy, Estimator, InputDriftPolicy, Pipeline
from shared.domain.quality import Quality, classification_metrics
from shared.events.base import Event
from shared.events.deployment import CandidatePromoted
from shared.events.drift_detection import DataFaultFound, DriftDetected
from shared.events.envelope import from_message
from shared.events.prediction import PerformanceCounted
from shared.events.topics import LEDGER, PERFORMANCE, RECORDS_DEAD
from shared.events.training import JobFailed, TrainingCompleted
from shared.events.validation import REASON_COLUMN, rejected_schema
from shared.runtime.core import Unit

WINDOW, EPOCH, BATCH = 200, 50, 50
TREE = Estimator(path="sklearn.tree.DecisionTreeClassifier", parameters={"max_depth": 4})
FEATURES = (
    Feature(name="x", kind=Kind.NUMBER, nullable=True),
    Feature(name="y", kind=Kind.NUMBER, nullable=True),
    Feature(name="place", kind=Kind.CATEGORY, nullable=True),
)


class Line:
    """A pipeline in one process: rows in, then a look at what was said."""

    def __init__(self, *, label: dict[str, Any] | None = None, event_time: str | None = None, **fields: Any) -> None:
        contract = Contract(
            features=FEATURES, label=Label.model_validate({"name": "good"} | (label or {})), event_time=event_time
        )
        drift = DriftPolicy(inputs=InputDriftPolicy(epoch=EPOCH))
        settings = {"name": "line", "contract": contract, "estimator": TREE, "window": WINDOW, "drift": drift}
        self.system = Embedded(Pipeline.model_validate(settings | fields), MemoryBlobs())
        self.system.apply()

    def feed(self, rows: pa.Table) -> Line:
        for batch in rows.combine_chunks().to_batches(max_chunksize=BATCH):
            self.system.records(batch)
        return self

    @property
    def ledger(self) -> list[Event]:
        messages = self.system.log.read(LEDGER.name, 0, 0, 10**6)
        return [event for message in messages if (event := from_message(message)) is not None]

    @property
    def quality(self) -> Quality:
        """Of all versions together."""
        counted = [from_message(message) for message in self.system.log.read(PERFORMANCE.name, 0, 0, 10**6)]
        versions = [
            quality for event in counted if isinstance(event, PerformanceCounted) for quality in event.versions.values()
        ]
        return sum(versions, Quality())

    @property
    def reasons(self) -> list[str]:
        """Of the dead letters."""
        letters = self.system.log.read(RECORDS_DEAD.name, 0, 0, 10**6)
        return [letter.headers["driftloop.reason"] for letter in letters]

    @property
    def rules(self) -> list[str]:
        """That the rejected rows broke."""
        letters = self.system.log.read(RECORDS_DEAD.name, 0, 0, 10**6)
        schema = rejected_schema(self.system.pipeline.contract)
        batches = [pa.ipc.read_record_batch(letter.value, schema) for letter in letters]
        return [reason for batch in batches for reason in batch.column(REASON_COLUMN).to_pylist()]

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.ledger if isinstance(event, kind)]

    def lane(self, core: str) -> Any:
        held = self.system.loop.held(core, Unit("line", 0))
        assert held is not None
        return held.state


def rows(count: int = 800, seed: int = 3) -> pa.Table:
    """Good where x > 0."""
    random = np.random.default_rng(seed)
    x = random.normal(0, 1, count)
    return pa.table(
        {
            "x": x,
            "y": random.normal(5, 2, count),
            "place": np.array(["north", "south", "west"])[random.integers(0, 3, count)],
            "good": np.where(x > 0, "yes", "no"),
        }
    )


def with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def test_one_class_alone_makes_no_model_until_another_one_comes() -> None:
    """A window with nothing to tell apart makes no model, and says so; the next one is tried."""
    table = rows(1600)
    good = table["good"].to_pylist()
    line = Line().feed(with_column(table, "good", ["yes"] * 400 + good[400:]))
    reasons = [event.reason for event in line.of(JobFailed) if isinstance(event, JobFailed)]
    assert len(reasons) == 2
    assert all("a classifier needs two classes at least" in reason for reason in reasons)
    assert line.of(CandidatePromoted)
    fresh = rows(200, seed=4)
    before = line.quality
    line.feed(fresh)
    after = classification_metrics(line.quality)["accuracy"] * line.quality.n
    assert after - classification_metrics(before)["accuracy"] * before.n > 0.95 * 200


def test_a_stream_of_one_class_only_never_has_a_model_and_says_why() -> None:
    line = Line().feed(with_column(rows(), "good", ["yes"] * 800))
    assert len(line.of(JobFailed)) == 800 // WINDOW
    assert [event for event in line.ledger if isinstance(event, CandidatePromoted | DriftDetected)] == []


@pytest.mark.parametrize("value", [0.0, 7.5, None], ids=["zero", "a number", "null"])
def test_a_constant_column_disturbs_nothing(value: float | None) -> None:
    line = Line().feed(with_column(rows(), "y", pa.array([value] * 800, pa.float64())))
    assert [event for event in line.ledger if isinstance(event, JobFailed | DriftDetected | DataFaultFound)] == []
    assert classification_metrics(line.quality)["accuracy"] > 0.95


def test_a_constant_column_that_begins_to_move_is_drift() -> None:
    table = rows(1000)
    moving = [7.5] * 600 + (table["y"].to_numpy()[600:] + 20).tolist()
    (first, *_) = Line().feed(with_column(table, "y", moving)).of(DriftDetected)
    assert isinstance(first, DriftDetected)
    assert {feature.name for feature in first.features} == {"y"}


def test_nan_is_null_and_infinities_are_refused_by_name() -> None:
    odd = rows()["y"].to_numpy().copy()
    odd[::20], odd[7::40], odd[9::40] = np.nan, np.inf, -np.inf
    line = Line().feed(with_column(rows(), "y", odd))
    assert set(line.rules) == {"non-finite:y"}
    assert line.lane("validation").received == 800
    assert line.lane("prediction").label == 800 - int(np.isinf(odd).sum())
    assert [event for event in line.ledger if isinstance(event, JobFailed | DataFaultFound)] == []


def test_an_infinite_or_missing_answer_is_no_label() -> None:
    """Regression: such a row is refused or stays unlabelled; neither the sums nor the model may see it."""
    target = rows()["x"].to_numpy().copy()
    target[5::50], target[6::50], target[7::50] = np.inf, -np.inf, np.nan
    estimator = Estimator(path="sklearn.tree.DecisionTreeRegressor", parameters={"max_depth": 4})
    line = Line(label={"task": "regression"}, estimator=estimator).feed(with_column(rows(), "good", target))
    assert line.of(JobFailed) == []
    assert line.of(TrainingCompleted)
    assert set(line.reasons) == {"infinite-label"}
    assert np.isfinite(line.quality.mean_loss)
    assert line.lane("prediction").label == 800 - 48


def test_ten_thousand_categories_are_borne_and_are_no_alarm() -> None:
    count = 10_000
    table = rows(count)
    places = [f"place-{number}" for number in np.random.default_rng(5).permutation(count)]
    line = Line(window=2000, drift=DriftPolicy()).feed(with_column(table, "place", places))
    assert [event for event in line.ledger if isinstance(event, JobFailed | DriftDetected | DataFaultFound)] == []
    assert classification_metrics(line.quality)["accuracy"] > 0.95


def test_labels_that_never_come_are_waited_for_given_up_and_counted() -> None:
    """A third of the records never gets its label: learning goes by the others, and nothing piles up."""
    line = Line(label={"arrives": "late"}, label_wait=100)
    table = rows(900)
    for first in range(0, 900, BATCH):
        part = table.slice(first, BATCH).combine_chunks()
        batch = line.system.records(part.drop_columns(["good"]).to_batches()[0])
        told = [row for row in range(BATCH) if row % 3]
        line.system.labels([f"{batch}:{row}" for row in told], part["good"].take(told).combine_chunks())
    state: PredictionState = line.lane("prediction")
    lost = 900 // BATCH * len([row for row in range(BATCH) if row % 3 == 0])
    assert state.label == 900 - lost
    assert lost * (900 - 100 - BATCH) // 900 <= state.unlabelled < lost
    counted = from_message(line.system.log.read(PERFORMANCE.name, 0, 0, 10**6)[-1])
    assert isinstance(counted, PerformanceCounted)
    assert 0 < counted.unlabelled <= state.unlabelled
    assert classification_metrics(line.quality)["accuracy"] > 0.95


def test_no_label_at_all_leaves_a_pipeline_that_collects_in_bounded_memory() -> None:
    line = Line(label={"arrives": "late"}, label_wait=100)
    sizes = []
    for _ in range(3):
        line.feed(rows(400).drop_columns(["good"]))
        state: PredictionState = line.lane("prediction")
        sizes.append(len(state.waiting.predictions))
    assert [type(event).__name__ for event in line.ledger] == ["PipelineApplied"]
    assert sizes[1] == sizes[2]


MIXED = [
    {"x": 1.5, "y": 2, "place": "north", "good": "yes"},
    {"x": "1.5", "y": "2", "place": 7, "good": True},
    {"x": "much", "y": 2.0, "place": "north", "good": "no"},
    {"x": [1], "y": 2.0, "place": "north", "good": "no"},
    {"x": {"a": 1}, "y": 2.0, "place": None, "good": "no"},
    {"x": True, "y": 2.0, "place": "south", "good": "no"},
    {"x": None, "y": None, "place": None, "good": 1},
]


def test_mixed_types_in_a_column_kill_their_own_rows_only() -> None:
    line = Line()
    body = b"\n".join(map(orjson.dumps, MIXED))
    line.system.deliver("records", body, "application/x-ndjson")
    state: ValidationState = line.lane("validation")
    assert (state.received, line.reasons) == (3, ["wrong-type"] * 4)
    line.feed(rows())
    assert line.of(JobFailed) == []
    assert line.lane("prediction").label == 800 + 3


ORDERS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "backwards": lambda times: times[::-1],
    "still": lambda times: times[:1] * len(times),
    "missing": lambda times: [None] * len(times),
}


@pytest.mark.parametrize("order", ORDERS)
def test_time_that_runs_backwards_or_not_at_all_changes_no_decision(order: str) -> None:
    """Position decides statistics; event time is carried along."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(minutes=minute) for minute in range(1000)]
    table = rows(1000)
    drifted = with_column(table, "x", table["x"].to_numpy() + np.repeat([0.0, 2.0], [600, 400]))
    forwards, other = (decisions(drifted, at) for at in (times, ORDERS[order](times)))
    assert any("since_row" in event for event in forwards)
    assert forwards == other


def decisions(table: pa.Table, times: list[Any]) -> list[dict[str, Any]]:
    """The ledger but for measurements, and for what holds the rows themselves."""
    stamped = table.append_column("at", pa.array(times, pa.timestamp("us", "UTC")))
    line = Line(event_time="at").feed(stamped)
    return [event.model_dump(exclude={"measured_seconds", "manifest"}) for event in line.ledger]
