"""The simulated plant as a producer of the running system: records at a steady rate, labels late."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from threading import Event as Flag
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from services.cli.client.answers import Refused
from services.cli.sending import Account, Delivery, Pace, of_rows
from services.cli.waiting import until_answered
from shared.domain.pipeline_file import parse_pipeline

if TYPE_CHECKING:
    from services.cli.client import Doors
    from services.embedded.plant import Plant

BATCH = 25
CRATE, QUALITY = "crate", "quality"
UNKNOWN = "no-pipeline"


class NotYet(Exception):
    """The door doesn't know the pipeline yet."""


class PlantTraffic:
    """One run of the plant. Crates of another run are other crates, so their names carry the run's."""

    def __init__(self, doors: Doors, plant: Plant) -> None:
        self._doors = doors
        self._plant = plant
        self._name = parse_pipeline(plant.pipeline_yaml(), "plant.yaml").name
        self._run = uuid4().hex[:8]
        self._waiting: deque[tuple[int, pa.RecordBatch]] = deque()

    def run(self, pace: Pace, stop: Flag) -> Account:
        """All rows, then the labels that are still out. The file is applied where nobody knows the pipeline yet."""
        account = Account()
        for batch in self._plant.batches(BATCH):
            pace.keep(account.sent)
            if stop.is_set():
                return account
            account.add(self._records(batch, account.sent))
            self._label(account.sent - self._plant.label_delay)
            pace.tell(account)
        self._label(self._plant.rows)
        return account

    def _records(self, batch: pa.RecordBatch, first: int) -> Mapping[str, Any]:
        crates = pc.binary_join_element_wise(self._run, batch.column(CRATE), "-")
        batch = batch.set_column(batch.schema.get_field_index(CRATE), CRATE, crates)
        self._waiting.append((first + batch.num_rows, batch.select([CRATE, QUALITY])))
        rows = of_rows(batch.drop_columns([QUALITY]))
        try:
            return self._deliver("records", rows, f"records-{first}")
        except Refused as refused:
            if refused.reason != UNKNOWN:
                raise
        self._doors.apply(self._name, self._plant.pipeline_yaml().encode())
        return until_answered(lambda: self._known(rows, first), NotYet, f"pipeline {self._name} to be in force")

    def _known(self, rows: Delivery, first: int) -> Mapping[str, Any]:
        try:
            return self._deliver("records", rows, f"records-{first}")
        except Refused as refused:
            if refused.reason != UNKNOWN:
                raise
            raise NotYet(str(refused)) from refused

    def _label(self, known: int) -> None:
        """Labels of the rows before ``known``."""
        while self._waiting and self._waiting[0][0] <= known:
            last, labels = self._waiting.popleft()
            self._deliver("labels", of_rows(labels), f"labels-{last}")

    def _deliver(self, action: str, part: Delivery, key: str) -> Mapping[str, Any]:
        """The same key at every attempt: an answer that got lost makes nothing count twice."""
        return self._doors.deliver(self._name, action, part.body, part.content_type, f"{self._run}-{key}")
