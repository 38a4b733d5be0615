"""The running system for the command line's tests: six cores over a memory log, and ingestion's and prediction's real
doors before them, all in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event as Flag
from threading import RLock, Thread
from typing import Any

import orjson
import pytest

from services.cli import running
from services.embedded.system import Embedded
from services.ingestion.door.application import application as ingestion_door
from services.prediction.door.application import application as prediction_door
from services.prediction.door.served import Served
from shared.access.bodies import Limits
from shared.access.tokens import OpenAccess
from shared.adapters.memory import MemoryBlobs, MemoryLog
from shared.domain.pipeline_file import parse_pipeline
from shared.events.topics import SERVING
from shared.operations.desk import Desk
from shared.operations.metrics import Metrics
from shared.operations.web import WebDoor
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Unit
from tests.unit.doors.bench import MemoryReadModel, MemoryWindow

LATE = """
name: shop
contract:
  features:
    - {name: price, kind: number, minimum: 0}
    - {name: size, kind: category, allowed: [s, m, l]}
  label: {name: sold, arrives: late}
window: 20
"""
"""No column names a record: its id is made from where it stood."""
NAMED = LATE.replace("contract:\n", "contract:\n  record_id: item\n")
LINES = "application/x-ndjson"


@dataclass
class House:
    """A system that runs on a thread of its own while its doors are open. ``lock``: hold it to look at the system."""

    system: Embedded
    blobs: MemoryBlobs
    status: MemoryReadModel = field(default_factory=MemoryReadModel)
    lock: Any = field(default_factory=RLock)
    url: str = ""

    @property
    def log(self) -> MemoryLog:
        return self.system.log

    def lines(self, *rows: Mapping[str, Any] | str, action: str = "records") -> dict[str, Any]:
        """Delivers NDJSON past the doors; text goes in as it is."""
        body = "\n".join(row if isinstance(row, str) else orjson.dumps(row).decode() for row in rows)
        with self.lock:
            return self.system.deliver(action, body.encode(), LINES)


def house(text: str = LATE) -> House:
    blobs = MemoryBlobs()
    return House(Embedded(parse_pipeline(text), blobs), blobs)


@contextmanager
def opened(some: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The doors are open, and the commands find them, the log and the blobs."""
    desk, metrics, stop = Desk(64 << 20, Metrics()), Metrics(), Flag()
    served = Served(BlobReader(some.blobs), lambda: None)
    app = ingestion_door(desk, OpenAccess(), MemoryWindow(), some.blobs, some.status, Limits(), metrics)
    answers = prediction_door(
        served, OpenAccess(), lambda *_: True, Limits(), metrics, ready=lambda: True, threads=1
    )  # fmt: skip
    doors = WebDoor(app, "127.0.0.1", 0), WebDoor(answers, "127.0.0.1", 0)
    thread = Thread(target=_turn, args=(some, desk, served, stop), daemon=True)
    for each in (thread, *doors):
        each.start()
    some.url = f"http://127.0.0.1:{doors[0].port}"
    monkeypatch.setenv("DRIFTLOOP_URL", some.url)
    monkeypatch.setenv("DRIFTLOOP_PREDICTION_URL", f"http://127.0.0.1:{doors[1].port}")
    found_by_commands(monkeypatch, some.log, some.blobs)
    try:
        yield some
    finally:
        stop.set()
        thread.join(20)
        for door in doors:
            door.stop(2)


def _turn(some: House, desk: Desk, served: Served, stop: Flag) -> None:
    told = 0
    while not stop.is_set():
        for unit, request in desk.take():
            with some.lock:
                some.system.now += 1
                answer = some.system.loop.request("ingestion", Unit(unit.pipeline), request)
                # Answered last, so that whoever asked sees all that followed.
                some.system.loop.drain()
                desk.answer(answer)
        for message in some.log.read(SERVING.name, 0, told, 100):
            served.tell(message)
            told = message.offset + 1
        served.turn()
        desk.wait(0.01)


def found_by_commands(monkeypatch: pytest.MonkeyPatch, log: MemoryLog, blobs: MemoryBlobs) -> None:
    """Puts a log and blobs where the commands look for those of the running system."""

    @contextmanager
    def opened_log() -> Iterator[MemoryLog]:
        yield log

    monkeypatch.setattr(running, "opened_log", opened_log)
    monkeypatch.setattr(running, "opened_blobs", lambda: blobs)
