"""A pipeline's contract changes while rows flow: what serves goes on, and old rows are read by the contract of then."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from services.embedded.system import Embedded
from shared.adapters.memory import MemoryBlobs
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.models import load_model
from shared.domain.pipeline import Pipeline
from shared.events.commands import RetrainModel
from shared.events.deployment import CandidatePromoted, CommandRefused
from shared.events.drift_detection import DataFaultFound
from shared.events.envelope import from_message
from shared.events.topics import LEDGER, PREDICTIONS, RECORDS_DEAD
from shared.events.training import JobFailed, TrainingCompleted
from tests.unit.embedded.lives import FEW_TREES

LABEL = Label.model_validate({"name": "left", "task": "classification"})
QUESTION = pa.RecordBatch.from_pydict({"x": [9.0, 1.0], "y": [1.0, 9.0], "z": [5.0, 5.0]})


class Mill:
    """The label says whether x is above y, whatever else the contract has."""

    def __init__(self, *features: str) -> None:
        self.blobs = MemoryBlobs()
        self.system = Embedded(self._pipeline(features), self.blobs)
        self.random = np.random.default_rng(3)
        self.system.apply()
        self.sent = 0

    def change(self, *features: str) -> None:
        self.system.pipeline = self._pipeline(features)
        self.system.apply()

    def send(self, rows: int) -> None:
        values = {name: self.random.uniform(0, 10, rows) for name in "xyz"}
        left = pa.array(np.where(values["x"] > values["y"], "yes", "no"))
        features = [feature.name for feature in self.system.pipeline.contract.features]
        columns = {name: pa.array(values[name]) for name in features}
        for start in range(0, rows, 25):
            self.system.records(pa.RecordBatch.from_pydict({**columns, "left": left}).slice(start, 25))
        self.sent += rows

    def retrain(self) -> list[str]:
        """What the newest version says to x above y, and to y above x."""
        before = len(self.of(TrainingCompleted))
        self.system.command(RetrainModel(pipeline="mill", command=f"after-{self.sent}"))
        made = self.of(TrainingCompleted)
        assert len(made) == before + 1, self.of(JobFailed)
        said, _ = load_model(self.blobs.get(made[-1].model)).predict(QUESTION)
        return said.to_pylist()

    def of(self, *kinds: type) -> list:  # type: ignore[type-arg]
        messages = self.system.log.read(LEDGER.name, 0, 0, 10**6)
        return [event for message in messages if isinstance(event := from_message(message), kinds)]

    def rows(self, topic: str) -> int:
        return sum(int(message.headers["rows"]) for message in self.system.log.read(topic, 0, 0, 10**6))

    def _pipeline(self, features: tuple[str, ...]) -> Pipeline:
        contract = Contract(features=tuple(Feature(name=name, kind=Kind.NUMBER) for name in features), label=LABEL)
        return Pipeline(name="mill", contract=contract, window=200, estimator=FEW_TREES)


@pytest.mark.parametrize(
    "changed", [("y", "x"), ("z", "x", "y"), ("x", "z"), ("x", "y", "z")], ids=["order", "added first", "gone", "added"]
)
def test_old_rows_are_read_by_their_own_contract_and_the_champion_goes_on(changed: tuple[str, ...]) -> None:
    mill = Mill("x", "y")
    mill.send(300)
    assert mill.of(CandidatePromoted)
    before = mill.rows(PREDICTIONS.name)
    mill.change(*changed)
    mill.send(100)
    assert mill.rows(PREDICTIONS.name) == before + 100
    assert mill.retrain() == ["yes", "no"]
    assert not mill.of(JobFailed, CommandRefused, DataFaultFound)
    assert mill.rows(RECORDS_DEAD.name) == 0
