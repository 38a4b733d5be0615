"""Whole lives of a pipeline in one process: the plant with everything that happens to it, and a recorded stream."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from services.deployment.core import Deployment
from services.drift_detection.core import DriftDetection
from services.embedded.loop import Loop
from services.embedded.plant import Plant
from services.embedded.system import WORKER, Embedded
from services.prediction.core import Prediction
from services.training.core import Training
from services.training.work import work
from services.validation.core import Validation
from shared.adapters.memory import MemoryBlobs, MemoryLog
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import Estimator, Pipeline
from shared.domain.pipeline_file import parse_pipeline
from shared.domain.quality import Quality, merge_versions
from shared.domain.rows import POSITION
from shared.events.base import Event
from shared.events.envelope import from_message
from shared.events.prediction import PerformanceCounted
from shared.events.topics import COMMANDS, LABELS, LEDGER, PERFORMANCE, RECORDS_INGESTED, TOPICS
from shared.events.training import TrainingCompleted
from shared.runtime.core import Message
from tests.streams import stream

PLANT = Plant(rows=6000)
FEW_TREES = Estimator(parameters={"n_estimators": 20, "min_samples_leaf": 2})


@dataclass(frozen=True)
class Life:
    """What a run left behind."""

    blobs: MemoryBlobs
    log: MemoryLog

    def messages(self, topic: str) -> list[Message]:
        return self.log.read(topic, 0, 0, 10**6)

    @property
    def ledger(self) -> list[Event]:
        return [event for message in self.messages(LEDGER.name) if (event := from_message(message)) is not None]

    @property
    def versions(self) -> dict[str, Quality]:
        total: dict[str, Quality] = {}
        for message in self.messages(PERFORMANCE.name):
            event = from_message(message)
            assert isinstance(event, PerformanceCounted)
            total = merge_versions(total, event.versions)
        return total

    @property
    def quality(self) -> Quality:
        return sum(self.versions.values(), Quality())


def plant_pipeline() -> Pipeline:
    pipeline = parse_pipeline(PLANT.pipeline_yaml())
    drift = pipeline.drift.model_copy(update={"inputs": pipeline.drift.inputs.model_copy(update={"epoch": 50})})
    return pipeline.model_copy(update={"window": 500, "estimator": FEW_TREES, "drift": drift})


def live(pipeline: Pipeline, batches: Iterator[pa.RecordBatch], delay: int) -> Life:
    """Rows in; the label of a row follows ``delay`` rows later (in the record itself where labels are inline)."""
    blobs = MemoryBlobs()
    system = Embedded(pipeline, blobs)
    system.apply()
    label, waiting = pipeline.contract.label, list[tuple[list[str], pa.Array]]()
    for batch in batches:
        system.records(batch)
        if label.arrives == "late":
            ids = batch.column(pipeline.contract.record_id).to_pylist()
            waiting.append((ids, batch.column(label.name)))
            if len(waiting) > delay // batch.num_rows:
                system.labels(*waiting.pop(0))
    for late in waiting:
        system.labels(*late)
    return Life(blobs, system.log)


@cache
def plant_life() -> Life:
    return live(plant_pipeline(), PLANT.batches(25), 100)


def keystroke_pipeline(arrives: str) -> Pipeline:
    contract = Contract(
        features=tuple(Feature(name=f"X{i}", kind=Kind.NUMBER) for i in range(10)),
        label=Label.model_validate({"name": "class", "arrives": arrives}),
        record_id="id",
    )
    return Pipeline(name="keystroke", contract=contract, window=200, estimator=FEW_TREES)


@cache
def keystroke_life(arrives: str, run: int = 0) -> Life:
    """``run`` tells two equal ones apart."""
    table = pyarrow.csv.read_csv(stream("keystroke"))
    ids = pa.array([f"{i}" for i in range(len(table))])
    labels = table["class"].cast(pa.string())
    table = table.set_column(table.schema.get_field_index("class"), "class", labels).append_column("id", ids)
    return live(keystroke_pipeline(arrives), iter(table.combine_chunks().to_batches(max_chunksize=5)), 50)


def learnt(life: Life, completed: TrainingCompleted) -> list[int]:
    """Positions of the rows that a version was trained on."""
    manifest = orjson.loads(life.blobs.get(completed.manifest))
    positions: list[int] = pq.read_table(io.BytesIO(life.blobs.get(manifest["snapshot"])))[POSITION].to_pylist()
    assert len(positions) == manifest["rows"] == completed.rows
    return positions


def replayed(life: Life) -> Life:
    """Fresh cores over what came in from outside: typed records, labels and commands, at their times."""
    inputs = [message for topic in (RECORDS_INGESTED, LABELS, COMMANDS) for message in life.messages(topic.name)]
    now = 0
    log = MemoryLog.of(TOPICS, lambda: now)
    cores = (Validation(), Prediction(), DriftDetection(), Training(WORKER), Deployment())
    loop = Loop(cores, log, life.blobs, work)
    for now in np.unique([message.timestamp for message in inputs]).tolist():
        for message in inputs:
            if message.timestamp == now:
                log.append(message.topic, 0, message.key, message.value, message.headers)
        loop.drain()
    return Life(life.blobs, log)
