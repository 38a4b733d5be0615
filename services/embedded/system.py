"""The whole system in one process: six cores over a memory log. `demo`, `backtest` and `run` stand on it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pyarrow as pa

from services.deployment.core import Deployment
from services.drift_detection.core import DriftDetection
from services.embedded.loop import Loop
from services.ingestion.core import Ingestion
from services.prediction.core import Prediction
from services.training.core import Training
from services.training.work import work
from services.validation.core import Validation
from shared.adapters.memory import MemoryLog, TopicSettings
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import canonical_bytes
from shared.domain.rows import ID
from shared.events.base import Event, derive_id
from shared.events.commands import ApplyPipeline, Command
from shared.events.envelope import from_message, to_append
from shared.events.topics import COMMANDS, LABELS, LEDGER, PERFORMANCE, RECORDS_VALIDATED, TOPICS
from shared.runtime.core import Answer, Message, Request, Unit
from shared.runtime.hosts import append_to
from shared.runtime.ports import Blobs

ARROW_STREAM = "application/vnd.apache.arrow.stream"
KEPT_BYTES = 256 << 20
"""Of each data topic, where trainings reach no further back: the rest is dropped, so that memory stays bounded."""
CLEAN_EVERY = 256
WORKER = "embedded"


class Refused(ValueError):
    """Ingestion did not take a delivery; the message is its answer."""


class Embedded:
    """One pipeline, started by `apply`; feed `records` and `labels`, then look at what was said."""

    def __init__(self, pipeline: Pipeline, blobs: Blobs) -> None:
        self.pipeline = pipeline
        self.now = 0
        self.log = _log(self._clock, _kept_bytes(pipeline))
        cores = (Ingestion(), Validation(), Prediction(), DriftDetection(), Training(WORKER), Deployment())
        self.loop = Loop(cores, self.log, blobs, work)
        self._blobs = blobs
        self._unit = Unit(pipeline.name)
        self._deliveries = 0
        self._read = {LEDGER.name: 0, PERFORMANCE.name: 0}

    def apply(self) -> str:
        """Puts the pipeline file into force; returns its digest."""
        file = self._blobs.put(canonical_bytes(self.pipeline))
        self.command(ApplyPipeline(pipeline=self.pipeline.name, command=derive_id("apply", file), file=file))
        return file

    def command(self, command: Command) -> None:
        append_to(self.log, to_append(COMMANDS.name, command))
        self.loop.drain()

    def records(self, rows: pa.RecordBatch) -> str:
        """Delivers rows and waits until all that follows from them has been done; returns the batch's id."""
        return self._deliver("records", rows)

    def state(self, core: str) -> object:
        """A core's present state, for those who only look."""
        held = self.loop.held(core, self._unit)
        return None if held is None else held.state

    def labels(self, ids: Sequence[str], labels: pa.Array) -> None:
        """Delivers late labels by record id."""
        contract = self.pipeline.contract
        columns = {contract.record_id or ID: pa.array(ids, pa.string()), contract.label.name: labels}
        self._deliver("labels", pa.RecordBatch.from_pydict(columns))

    def new_events(self, topic: str) -> Iterator[tuple[Message, Event]]:
        """What was appended to ``ledger`` or ``performance`` since the last call."""
        while messages := self.log.read(topic, 0, self._read[topic], 1000):
            self._read[topic] = messages[-1].offset + 1
            for message in messages:
                event = from_message(message)
                if event is not None:
                    yield message, event

    def deliver(self, action: str, body: bytes, content_type: str) -> dict[str, Any]:
        """Delivers bytes as a client would send them, ``records`` or ``labels``, and waits until all that follows has
        been done; returns ingestion's report. `Refused` where not one row could be told apart."""
        self.now += 1
        self._deliveries += 1
        request = Request(f"{action}-{self._deliveries}", action, body, self.now, content_type)
        answer = self.loop.request("ingestion", self._unit, request)
        self.loop.drain()
        if self._deliveries % CLEAN_EVERY == 0:
            self.log.clean()
        return _report(answer)

    def _deliver(self, action: str, rows: pa.RecordBatch) -> str:
        return str(self.deliver(action, _stream(rows), ARROW_STREAM)["batch"])

    def _clock(self) -> int:
        return self.now


def _report(answer: Answer) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(answer.body)
    if "batch" not in body:
        raise Refused(body["message"])
    return body


def _kept_bytes(pipeline: Pipeline) -> int:
    """At least the rows that a training may reach back to, were each value sixteen bytes long."""
    policy = pipeline.retraining
    reach = max((policy.memory + 1) * pipeline.window, policy.last or 0)
    reach += pipeline.label_wait if pipeline.contract.label.arrives == "late" else 0
    return max(KEPT_BYTES, int(reach * 16 * (len(pipeline.contract.features) + 4)))


def _log(clock: object, kept_bytes: int) -> MemoryLog:
    log = MemoryLog(clock)  # type: ignore[arg-type]
    for topic in TOPICS:
        whole = topic.compacted or topic in (LEDGER, COMMANDS)
        kept = kept_bytes if topic in (RECORDS_VALIDATED, LABELS) else KEPT_BYTES
        settings = TopicSettings(
            compacted=topic.compacted,
            retention_bytes=-1 if whole else kept,
            max_message_bytes=topic.max_message_bytes,
        )
        log.create(topic.name, settings)
    return log


def _stream(rows: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return sink.getvalue()
