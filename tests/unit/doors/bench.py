"""Ingestion behind its real door: core, worker, desk and HTTP server, over a log in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import httpx
import pyarrow as pa

from services.ingestion.core import Ingestion
from services.ingestion.door.application import application
from shared.access.bodies import Limits
from shared.access.stores import Earlier, OtherBody, Standing, StoreDown
from shared.access.tokens import Access, OpenAccess
from shared.adapters.memory import MemoryBlobs, MemoryLog, TopicSettings
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import canonical_bytes
from shared.domain.rows import decode_batch, ingested_schema
from shared.events.base import Event as LedgerEvent
from shared.events.deployment import ServingChanged
from shared.events.envelope import from_message, to_append
from shared.events.topics import COMMANDS, RECORDS_DEAD, RECORDS_INGESTED, SERVING, TOPICS
from shared.operations.desk import Desk
from shared.operations.metrics import Metrics
from shared.operations.web import WebDoor
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Answer, Message, Run
from shared.runtime.hosts import ProcessHost, append_to
from shared.runtime.ports import Addressed, Indefinite, LogError
from shared.runtime.worker import Worker
from tests.unit.ingestion.doors import PIPELINE

NOW = 1_700_000_000_000


class MemoryWindow:
    """The idempotency window as a dictionary; ``down`` makes it fail."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, Earlier | None]] = {}
        self.down = False

    def begin(self, key: str, fingerprint: str) -> Earlier | None:
        self._check()
        known, answer = self.held.setdefault(key, (fingerprint, None))
        if known != fingerprint:
            raise OtherBody(key)
        return answer

    def keep(self, key: str, fingerprint: str, answer: Earlier) -> None:
        self._check()
        self.held[key] = (fingerprint, answer)

    def forget(self, key: str, fingerprint: str) -> None:
        self._check()
        if self.held.get(key) == (fingerprint, None):
            del self.held[key]

    def _check(self) -> None:
        if self.down:
            raise StoreDown("down")


class MemoryReadModel:
    """How pipelines stand, in a dictionary; ``down`` makes it fail."""

    def __init__(self) -> None:
        self.standings: dict[str, Standing] = {}
        self.down = False

    def get(self, pipeline: str) -> Standing | None:
        self._check()
        return self.standings.get(pipeline)

    def list(self) -> tuple[Standing, ...]:
        self._check()
        return tuple(self.standings.values())

    def _check(self) -> None:
        if self.down:
            raise StoreDown("down")


class LossyLog(MemoryLog):
    """Takes what it is given, and keeps the acknowledgement to itself while ``silent``."""

    silent = False

    def append_all(self, entries: Sequence[Addressed]) -> list[int]:
        offsets = super().append_all(entries)
        if entries and self.silent:
            raise Indefinite("no acknowledgement came")
        return offsets


def _memory_log() -> LossyLog:
    log = LossyLog(lambda: NOW)
    for topic in TOPICS:
        log.create(topic.name, TopicSettings(compacted=topic.compacted, max_message_bytes=topic.max_message_bytes))
    return log


@dataclass
class House:
    """A running door, and everything behind it. ``stop`` halts the core's thread, so that requests go unanswered."""

    access: Access = field(default_factory=OpenAccess)
    limits: Limits = field(default_factory=Limits)
    desk_bytes: int = 64 << 20
    log: LossyLog = field(default_factory=_memory_log)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    window: Any = field(default_factory=MemoryWindow)
    status: Any = field(default_factory=MemoryReadModel)
    metrics: Metrics = field(default_factory=Metrics)
    halted: Event = field(default_factory=Event)
    client: httpx.Client = field(init=False)
    url: str = field(init=False)

    def serve(self, pipeline: Pipeline) -> str:
        """Puts a pipeline in force, as deployment would; returns its file's digest."""
        file = self.blobs.put(canonical_bytes(pipeline))
        append_to(self.log, to_append(SERVING.name, ServingChanged(pipeline=pipeline.name, file=file, ledger_offset=1)))
        return file

    def messages(self, topic: str) -> list[Message]:
        return list(self.log.read(topic, 0, 0, 10**6))

    def rows(self, pipeline: Pipeline = PIPELINE) -> pa.Table:
        schema = ingested_schema(pipeline.contract)
        batches = [decode_batch(message.value, schema) for message in self.messages(RECORDS_INGESTED.name)]
        return pa.Table.from_batches(batches, schema=schema)

    def letters(self) -> list[Message]:
        return self.messages(RECORDS_DEAD.name)

    def commands(self) -> list[LedgerEvent]:
        return [event for message in self.messages(COMMANDS.name) if (event := from_message(message)) is not None]

    def counted(self, what: str) -> float:
        return self.metrics.registry.get_sample_value("driftloop_degradations_total", {"what": what}) or 0


@contextmanager
def opened(pipeline: Pipeline | None = PIPELINE, **settings: Any) -> Iterator[House]:
    house = House(**settings)
    if pipeline is not None:
        house.serve(pipeline)
    desk = Desk(house.desk_bytes, house.metrics)
    core = Core(house, desk)
    core.start()
    app = application(desk, house.access, house.window, house.blobs, house.status, house.limits, house.metrics)
    door = WebDoor(app, "127.0.0.1", 0)
    door.start()
    house.url = f"http://127.0.0.1:{door.port}"
    with httpx.Client(base_url=house.url, timeout=60) as house.client:
        try:
            yield house
        finally:
            core.stop()
            door.stop(2)


class Core:
    """The core's thread: what the desk was asked, then what the log brings."""

    def __init__(self, house: House, desk: Desk) -> None:
        core, read = Ingestion(), BlobReader(house.blobs)
        host = ProcessHost(core, house.log, _never, desk.answer)
        lanes = frozenset(topic.name for topic in TOPICS if topic.per_lane)
        self._worker = Worker(core, house.log, read, host, lane_topics=lanes)
        self._desk = desk
        self._halted = house.halted
        self._ending = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._open()
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join(60)
        self._desk.close()

    def _open(self) -> None:
        self._worker.open()
        while self._worker.step():
            pass

    def _run(self) -> None:
        while not self._ending.is_set():
            asked = [] if self._halted.is_set() else self._desk.take()
            try:
                self._worker.requests(asked)
                moved = bool(asked) or self._worker.step()
            except LogError:
                for _, request in asked:
                    self._desk.answer(Answer(request.id, 503, b"{}"))
                self._open()
                continue
            if not moved:
                self._desk.wait(0.005)


def _never(run: Run) -> None:
    raise AssertionError(f"ingestion runs no jobs: {run.job}")
