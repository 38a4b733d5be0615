"""The real core on Faust says what it says embedded: the same ids, the same values, in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from uuid import uuid4

import pytest

from services.drift_detection.core import DriftDetection
from services.drift_detection.state import DriftState
from services.embedded import system
from services.embedded.plant import Plant
from services.embedded.system import Embedded
from shared.adapters.faust import FaustHost
from shared.adapters.kafka.connection import Connection
from shared.adapters.memory import MemoryBlobs
from shared.domain.pipeline_file import parse_pipeline
from shared.events.commands import ClearFault
from shared.events.letters import set_aside
from shared.events.topics import LEDGER, RECORDS_DEAD
from shared.runtime.advance import WRITER
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Input, Message, Read, Step
from shared.runtime.hosts import snapshots_of
from shared.runtime.ports import Blobs
from tests.integration.faust.hosting import CALM, in_thread
from tests.integration.faust.toy import World
from tests.waiting import until

PLANT = Plant(seed=1, rows=3_000)
Said = list[tuple[str, str, bytes]]
"""Type, id and value of ledger messages."""


def test_the_ledger_of_an_embedded_run_comes_out_again(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, blobs, made = recorded(monkeypatch), MemoryBlobs(), drift_world(broker)
    said = embedded_run(blobs)
    core = DriftDetection()
    host = FaustHost(core, made.connection, BlobReader(blobs), set_aside(core.name), timing=CALM)
    with in_thread(host):
        deliver(made, host, inputs)
    assert [(text(each, "ce_type"), text(each, "ce_id"), each.value) for each in made.read(LEDGER.name)] == said
    assert {"detected", "fault-found", "fault-cleared"} <= {kind.split(".")[-2] for kind, _, _ in said}
    assert made.read(RECORDS_DEAD.name) == []
    made.close()


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """Filled by embedded runs: what their drift core is handed, in that order."""
    inputs: list[Message] = []

    class Recorded(DriftDetection):
        def handle(self, state: DriftState, item: Input, read: Read) -> Step[DriftState]:
            assert isinstance(item, Message)
            inputs.append(item)
            return super().handle(state, item, read)

    monkeypatch.setattr(system, "DriftDetection", Recorded)
    return inputs


def embedded_run(blobs: Blobs) -> Said:
    """What its drift core wrote."""
    pipeline = parse_pipeline(pipeline_file())
    run = Embedded(pipeline, blobs)
    run.apply()
    for batch in PLANT.batches(125):
        run.records(batch)
    said = ledger_of(run)
    [fault, *_] = [event for event in said if "fault-found" in event[0]]
    run.command(ClearFault(pipeline=pipeline.name, command="the sensor is right again", fault=fault[1]))
    return said + ledger_of(run)


def pipeline_file() -> str:
    text = (
        PLANT.pipeline_yaml()
        .replace("n_estimators: 60", "n_estimators: 20")
        .replace("arrives: late", "arrives: inline")
    )
    return text.replace("window: 1000", "window: 500\ndrift: {inputs: {epoch: 25}}")


def ledger_of(run: Embedded) -> Said:
    return [
        (message.headers["ce_type"], message.headers["ce_id"], message.value)
        for message, _ in run.new_events(LEDGER.name)
        if message.headers.get(WRITER) == DriftDetection.name
    ]


def deliver(made: World, host: FaustHost, inputs: Sequence[Message]) -> None:
    """Topic by topic as the embedded core read them: what comes together may be handled in another order."""
    for topic, run in groupby(inputs, key=lambda message: message.topic):
        before, messages = host.handled, list(run)
        made.write_all(topic, messages)
        wait_for(host, before + len(messages))


def wait_for(host: FaustHost, messages: int) -> None:
    until(lambda: host.handled >= messages, f"{messages} messages handled")


def drift_world(bootstrap: str) -> World:
    made = World(Connection(bootstrap, f"test-{uuid4().hex[:8]}"))
    made.create({topic: {} for topic in (*DriftDetection.reads, LEDGER.name, RECORDS_DEAD.name)})
    made.create({snapshots_of(DriftDetection()): {"cleanup.policy": "compact"}})
    return made


def text(record: Any, header: str) -> str:
    return str(dict(record.headers)[header].decode())
