"""Prediction's core on real messages of a memory log, and a plain-Python account of what it ought to join."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from services.prediction.core import Prediction, PredictionState
from shared.adapters.memory import MemoryBlobs, MemoryLog
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.design import Column
from shared.domain.models import Model, dump_model
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import canonical_bytes
from shared.domain.quality import Quality, merge_versions
from shared.domain.rows import encode_batch, labels_schema, validated_schema
from shared.events.deployment import ServingChanged
from shared.events.envelope import from_message, to_append
from shared.events.prediction import PerformanceCounted
from shared.events.topics import LABELS, PERFORMANCE, RECORDS_VALIDATED, SERVING, TOPICS
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Append, Message, Unit
from shared.runtime.hosts import append_to

NAME = "shop"
CLASSES = ("yes", "no")
Row = tuple[str, float, Any]
"""(id, x, label or None)"""


def pipeline(arrives: str = "inline", task: str = "classification", **fields: Any) -> Pipeline:
    contract = Contract(
        features=(Feature(name="x", kind=Kind.NUMBER),),
        label=Label.model_validate({"name": "y", "task": task, "arrives": arrives}),
        record_id="id",
    )
    return Pipeline(**{"name": NAME, "contract": contract, "window": 40, **fields})


@cache
def model(task: str, sign: int, classes: tuple[str, str] = CLASSES) -> bytes:
    """Says the first class, "yes", where sign * x > 0; in regression, sign * x's own side as -1.0 or 1.0."""
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    side = np.array([-1.0, 1.0])
    if task == "regression":
        estimator = DecisionTreeRegressor().fit(side.reshape(-1, 1), side * sign)
    else:
        estimator = DecisionTreeClassifier().fit(side.reshape(-1, 1), np.where(side * sign > 0, *classes))
    return dump_model(Model(task, (Column("x", "number"),), estimator))


@dataclass
class Bench:
    """One pipeline, any lanes. Everything is appended to the log first and handled as it stands there."""

    pipeline: Pipeline
    now: int = 0
    versions: dict[str, Quality] = field(default_factory=dict)
    performance: list[tuple[Message, PerformanceCounted]] = field(default_factory=list)
    made: list[Append] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = MemoryLog.of(TOPICS, lambda: self.now)
        self.blobs = MemoryBlobs()
        self.read = BlobReader(self.blobs)
        self.file = self.blobs.put(canonical_bytes(self.pipeline))
        self.core = Prediction()
        self.states: dict[int, PredictionState] = {}
        self.ledger = 0

    def serve(
        self, version: str | None, sign: int = 1, loss_scale: float = 1.0, classes: tuple[str, str] = CLASSES
    ) -> None:
        self.ledger += 1
        task = self.pipeline.contract.label.task
        blob = None if version is None else self.blobs.put(model(task, sign, classes))
        changed = ServingChanged(
            pipeline=NAME, file=self.file, version=version, model=blob,
            loss_scale=loss_scale, ledger_offset=self.ledger,
        )  # fmt: skip
        message = self._sent(to_append(SERVING.name, changed))
        for lane in range(self.pipeline.lanes):
            self._handle(lane, message)

    def rows(self, rows: Sequence[Row], *, lane: int = 0, skipped: int = 0) -> None:
        """One message of validated rows; ``skipped`` rejected rows were received before them."""
        first = self.state(lane).row + skipped
        columns: dict[str, Any] = {
            "_position": range(first, first + len(rows)),
            "_id": [row[0] for row in rows],
            "x": [row[1] for row in rows],
        }
        if self.pipeline.contract.label.arrives == "inline":
            columns["y"] = [row[2] for row in rows]
        batch = pa.RecordBatch.from_pydict(columns, validated_schema(self.pipeline.contract))
        headers = {"file": self.file, "first": str(first - skipped), "last": str(first + len(rows))}
        self._handle(lane, self._data(RECORDS_VALIDATED.name, lane, batch, headers))

    def labels(self, labels: Iterable[tuple[str, Any]], *, lane: int = 0) -> None:
        ids, values = zip(*labels, strict=True)
        batch = pa.RecordBatch.from_pydict({"_id": ids, "y": values}, labels_schema(self.pipeline.contract))
        self._handle(lane, self._data(LABELS.name, lane, batch, {"file": self.file}))

    def state(self, lane: int = 0) -> PredictionState:
        return self.states.get(lane) or self.core.initial(Unit(NAME, lane))

    @property
    def counted(self) -> list[PerformanceCounted]:
        return [event for _, event in self.performance]

    @property
    def labelled(self) -> int:
        return sum(event.labels for event in self.counted)

    def _data(self, topic: str, lane: int, batch: pa.RecordBatch, headers: dict[str, str]) -> Message:
        headers = {**headers, "rows": str(batch.num_rows), "lane": str(lane)}
        return self._sent(Append(topic, Unit(NAME, lane), encode_batch(batch), headers))

    def _sent(self, append: Append) -> Message:
        self.now += 1
        offset = append_to(self.log, append)
        return self.log.read(append.topic, 0, offset, 1)[0]

    def _handle(self, lane: int, message: Message) -> None:
        step = self.core.handle(self.state(lane), message, self.read)
        self.states[lane] = step.state
        for effect in step.effects:
            assert isinstance(effect, Append)
            self.made.append(effect)
            if effect.topic == PERFORMANCE.name:
                said = self._sent(effect)
                event = from_message(said)
                assert isinstance(event, PerformanceCounted)
                self.performance.append((said, event))
                self.versions = merge_versions(self.versions, event.versions)


class Account:
    """Who is joined when, kept with dictionaries: rows and labels that wait, and the joined rows in order."""

    def __init__(self) -> None:
        self.early: dict[str, Any] = {}
        self.waiting: set[str] = set()
        self.first: dict[str, Any] = {}
        self.joined: list[tuple[str, Any]] = []
        self.conflicting = 0
        self.was_early = False

    def rows(self, ids: Iterable[str]) -> None:
        ids = list(ids)
        for name in [name for name in self.early if name in ids]:
            self.joined.append((name, self.early.pop(name)))
            self.was_early = True
            ids.remove(name)
        self.waiting.update(ids)

    def labels(self, labels: Iterable[tuple[str, Any]]) -> None:
        for name, label in labels:
            if name in self.first:
                self.conflicting += self.first[name] != label
                continue
            self.first[name] = label
            if name in self.waiting:
                self.waiting.remove(name)
                self.joined.append((name, label))
            else:
                self.early[name] = label


def cells(quality: Quality) -> Counter[tuple[str, str]]:
    return Counter({(true, said): count for true, said, count in quality.confusion})
