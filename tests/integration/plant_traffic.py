"""The plant as a foreign client sees it: JSON over HTTP, labels later, and a look at the ledger."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event
from time import monotonic

import httpx
import orjson
import pyarrow as pa

from services.embedded.plant import Plant

BATCH = 25
PATIENCE = 300.0
"""Seconds for which a delivery is tried again."""


@dataclass
class Traffic:
    """Sends a plant's records and, ``delay`` rows later, their labels; every delivery under a key of its own.

    ``name`` may be another than the plant's own; ``more`` is appended to its file.
    """

    url: str
    plant: Plant
    name: str = "bottling-plant"
    trees: int = 20
    window: int = 500
    more: str = ""
    labels: str = "late"
    sent: int = 0
    _waiting: deque[list[dict[str, object]]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._client = httpx.Client(base_url=self.url, timeout=60.0)
        self._batches = self.plant.batches(BATCH)

    def apply(self, model: bytes | None = None) -> str:
        """Returns the command's id. ``model`` is to serve from the start."""
        query = {} if model is None else {"model": self._client.put("/v1/models", content=model).json()["model"]}
        text = self.plant.pipeline_yaml().replace("name: bottling-plant", f"name: {self.name}")
        text = text.replace("n_estimators: 60", f"n_estimators: {self.trees}")
        text = text.replace("window: 1000", f"window: {self.window}\ndrift: {{inputs: {{epoch: 50}}}}")
        text = text.replace("arrives: late", f"arrives: {self.labels}") + self.more
        kind = {"content-type": "application/yaml"}
        answer = self._client.put(f"/v1/pipelines/{self.name}", content=text, headers=kind, params=query)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["command"])

    def knows(self) -> bool:
        """Whether ingestion takes records for the pipeline already."""
        body = orjson.dumps([])
        answer = self._client.post(f"/v1/pipelines/{self.name}/records", content=body, headers=JSON)
        return answer.status_code != 404

    def send(self, rows: int) -> None:
        """The next rows, and the labels that have become known by then."""
        until = self.sent + rows
        while self.sent < until and (batch := next(self._batches, None)) is not None:
            self._deliver(batch)

    def finish(self) -> None:
        """The labels that are still out."""
        while self._waiting:
            self._labels(self._waiting.popleft())

    def without_labels(self, rows: int) -> list[dict[str, object]]:
        """Sends the next rows; their labels are the caller's to deliver."""
        before, self._waiting = self._waiting, deque()
        until = self.sent + rows
        while self.sent < until and (batch := next(self._batches, None)) is not None:
            self._deliver_rows(batch)
        mine, self._waiting = self._waiting, before
        return [label for labels in mine for label in labels]

    def deliver_labels(self, labels: list[dict[str, object]]) -> None:
        for first in range(0, len(labels), BATCH):
            self._post("labels", labels[first : first + BATCH], f"any-{first}-{labels[first]['crate']}")

    def _deliver(self, batch: pa.RecordBatch) -> None:
        self._deliver_rows(batch)
        if self.labels == "inline":
            self._waiting.clear()
        while len(self._waiting) * BATCH > self.plant.label_delay:
            self._labels(self._waiting.popleft())

    def _deliver_rows(self, batch: pa.RecordBatch) -> None:
        rows = batch.to_pylist()
        labels = [{"crate": row["crate"], "quality": row["quality"]} for row in rows]
        if self.labels == "late":
            rows = [{name: value for name, value in row.items() if name != "quality"} for row in rows]
        answer = self._post("records", rows, f"rows-{self.sent}")
        assert answer["accepted"] == len(rows), answer
        self.sent += len(rows)
        self._waiting.append(labels)

    def _labels(self, labels: list[dict[str, object]]) -> None:
        self._post("labels", labels, f"labels-{labels[0]['crate']}")

    def _post(self, what: str, rows: list[dict[str, object]], key: str) -> dict[str, int]:
        """As a careful producer does: the same key until the answer is known."""
        last = ""
        for answer in self._attempts(what, rows, key):
            if answer.status_code == 202:
                return answer.json()  # type: ignore[no-any-return]
            assert answer.status_code in (429, 500, 502, 503, 504), answer.text
            last = answer.text
        raise AssertionError(f"{what} {key} not taken: {last}")

    def _attempts(self, what: str, rows: list[dict[str, object]], key: str) -> Iterator[httpx.Response]:
        body = orjson.dumps(rows, option=orjson.OPT_UTC_Z)
        deadline = monotonic() + PATIENCE
        while monotonic() < deadline:
            try:
                yield self._client.post(
                    f"/v1/pipelines/{self.name}/{what}", content=body, headers={**JSON, "Idempotency-Key": key}
                )
            except httpx.TransportError:
                Event().wait(0.05)  # a process that is starting again takes nothing yet


JSON = {"content-type": "application/json"}
