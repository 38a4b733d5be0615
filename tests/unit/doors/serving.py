"""A champion in service behind prediction's real door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import Event
from typing import Any

import httpx
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier

from services.prediction.door.application import application
from services.prediction.door.served import Served
from shared.access.bodies import Limits
from shared.access.tokens import Access, OpenAccess
from shared.adapters.memory import MemoryBlobs
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.design import Column
from shared.domain.models import Model, dump_model
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import canonical_bytes
from shared.events.topics import RECORDS_OFFERED
from shared.operations.metrics import Metrics
from shared.operations.web import WebDoor
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Append, Unit
from tests.unit.ingestion.doors import serving_message

FEATURES = (Feature(name="speed", kind=Kind.NUMBER), Feature(name="maker", kind=Kind.CATEGORY))
COLUMNS = (Column("speed", "number"), Column("maker", "category", ("acme", "other")))
MILL = Pipeline(name="mill", contract=Contract(features=FEATURES, label=Label(name="broken")))
INFER = "/v2/models/mill/infer"


@cache
def model(kind: str = "forest") -> bytes:
    values = np.column_stack([np.arange(40.0), np.arange(40) % 2, 1 - np.arange(40) % 2])
    labels = np.where(values[:, 0] > 20, "yes", "no")
    if kind == "regression":
        return dump_model(Model("regression", COLUMNS, LinearRegression().fit(values, values[:, 0] * 2)))
    kinds = {
        "forest": RandomForestClassifier(5, random_state=0),
        "gaps": LogisticRegression(),
        "unsure": RidgeClassifier(),
    }
    return dump_model(Model("classification", COLUMNS, kinds[kind].fit(values, labels)))


@dataclass
class Counter:
    """The prediction door in service, and what it left for the log. A shut ``gate`` keeps scoring threads busy."""

    access: Access = field(default_factory=OpenAccess)
    limits: Limits = field(default_factory=Limits)
    ready: bool = True
    threads: int = 2
    room: int = 1 << 30
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    offered: list[Append] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)
    gate: Event = field(default_factory=Event)
    entered: Event = field(default_factory=Event)
    client: httpx.Client = field(init=False)
    served: Served = field(init=False)
    offset: int = 0

    def serve(self, pipeline: Pipeline = MILL, version: str | None = "v1", blob: bytes | None = None) -> None:
        self.offset += 1
        file = self.blobs.put(canonical_bytes(pipeline))
        stored = self.blobs.put(blob or model()) if version else None
        told = {"version": version, "model": stored, "ledger_offset": self.offset}
        self.served.tell(serving_message(pipeline.name, file, **told))
        self.served.turn()

    def infer(self, body: Any = None, path: str = INFER, **headers: str) -> httpx.Response:
        return self.client.post(path, json=question() if body is None else body, headers=headers)

    def offer(self, pipeline: str, rows: bytes, headers: dict[str, str]) -> bool:
        self.entered.set()
        self.gate.wait(60)
        if len(rows) > self.room:
            return False
        self.offered.append(Append(RECORDS_OFFERED.name, Unit(pipeline), rows, headers))
        return True


@contextmanager
def opened(**settings: Any) -> Iterator[Counter]:
    counter = Counter(**settings)
    counter.gate.set()
    counter.served = Served(BlobReader(counter.blobs), lambda: counter.metrics.degraded("model"))
    app = application(
        counter.served, counter.access, counter.offer, counter.limits, counter.metrics,
        ready=lambda: counter.ready, threads=counter.threads,
    )  # fmt: skip
    door = WebDoor(app, "127.0.0.1", 0)
    door.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{door.port}", timeout=60) as counter.client:
        try:
            yield counter
        finally:
            door.stop(2)


def tensor(name: str, datatype: str, *data: Any, shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": list(data)}


def question(**changes: Any) -> dict[str, Any]:
    inputs = [tensor("speed", "FP64", 30.0, 2.5), tensor("maker", "BYTES", "acme", "nobody")]
    return {"inputs": inputs, **changes}


def outputs(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}
