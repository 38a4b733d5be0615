"""Names that no pipeline has, in what others read and hand over, leave letters, and no state and no series."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from services.ingestion.core import Ingestion, IngestionState
from shared.adapters.memory import MemoryBlobs, MemoryLog
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import canonical_bytes
from shared.events.deployment import ServingChanged
from shared.events.envelope import to_append
from shared.events.letters import set_aside
from shared.events.topics import RECORDS_DEAD, RECORDS_INGESTED, RECORDS_OFFERED, SERVING, TOPICS
from shared.operations.metrics import OTHERS, PIPELINES, Metrics
from shared.operations.observing import Flow
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Answer, Input, Message, Read, Request, Step, Unit
from shared.runtime.hosts import ProcessHost, append_to
from shared.runtime.worker import Worker
from tests.unit.operations.numbers import number

PLANT = "bottling-plant"
ROW, DEAD_ROW = b'{"x": 1.0, "y": "yes"}', b'{"x": "three", "y": "yes"}'


class Door:
    """Ingestion as it runs, without its doors."""

    def __init__(self) -> None:
        self.log = MemoryLog.of(TOPICS, lambda: 0)
        self.blobs = MemoryBlobs()
        self.metrics = Metrics()
        self.answers: list[Answer] = []
        core = Ingestion()
        self.host = ProcessHost(core, self.log, lambda run: None, self.answers.append)
        self.worker = Worker(
            core, self.log, BlobReader(self.blobs), self.host, lane_topics=frozenset(),
            observer=Flow(self.metrics), set_aside=set_aside(core.name),
        )  # fmt: skip
        self.worker.open()

    def apply(self, name: str) -> None:
        label = Label.model_validate({"name": "y", "task": "classification"})
        contract = Contract(features=(Feature(name="x", kind=Kind.NUMBER),), label=label)
        file = self.blobs.put(canonical_bytes(Pipeline(name=name, contract=contract)))
        append_to(self.log, to_append(SERVING.name, ServingChanged(pipeline=name, file=file, ledger_offset=1)))
        while self.worker.step():
            pass

    def offer(self, names: Iterable[str], body: bytes = ROW) -> None:
        offsets = [self.log.append(RECORDS_OFFERED.name, 0, name, body, {}) for name in names]
        for offset in offsets:
            [message] = self.log.read(RECORDS_OFFERED.name, 0, offset, 1)
            self.worker.deliver([(Unit(message.key), message)])

    def letters(self) -> list[Message]:
        return list(self.log.read(RECORDS_DEAD.name, 0, 0, 100_000))

    def told(self, pipeline: str, reason: str) -> float:
        return number(self.metrics, "dead_letters_total", pipeline=pipeline, reason=reason)


@pytest.fixture
def door() -> Door:
    return Door()


STRANGERS = [f"nobody-{i}" for i in range(3 * PIPELINES)]


def test_strangers_names_are_not_kept_and_what_they_brought_is(door: Door) -> None:
    door.offer(STRANGERS)
    assert door.host.units() == ()
    assert [letter.key for letter in door.letters()] == STRANGERS
    assert door.told(OTHERS, "no-pipeline") == len(STRANGERS)


def test_a_pipeline_that_comes_after_many_strangers_has_its_own_series(door: Door) -> None:
    door.offer(STRANGERS)
    door.apply(PLANT)
    door.offer([PLANT], DEAD_ROW)
    assert door.told(PLANT, "wrong-type") == 1


def test_a_stranger_whose_pipeline_is_applied_later_is_one_no_longer(door: Door) -> None:
    door.offer([PLANT])
    door.apply(PLANT)
    door.offer([PLANT])
    assert len(door.letters()) == 1
    assert len(door.log.read(RECORDS_INGESTED.name, 0, 0, 10)) == 1


def test_requests_about_strangers_are_answered_and_leave_nothing(door: Door) -> None:
    door.worker.requests([(Unit(name), Request(name, "records", ROW, 0)) for name in STRANGERS])
    assert [answer.status for answer in door.answers] == [404] * len(STRANGERS)
    assert door.host.units() == ()


def test_a_message_that_the_core_fails_on_makes_no_state_of_a_stranger(door: Door) -> None:
    class Defect(Ingestion):
        def handle(self, state: IngestionState, item: Input, read: Read) -> Step[IngestionState]:
            raise ZeroDivisionError

    door.worker.core = Defect()
    door.offer(["nobody"])
    assert door.host.units() == ()
    assert door.told(OTHERS, "handler-failed") == 1
