"""What prediction's messages and states mean as numbers: what became of labels."""

from __future__ import annotations

from services.prediction.core import PredictionState
from shared.events.prediction import PerformanceCounted
from shared.events.topics import PERFORMANCE
from shared.operations.metrics import Metrics
from shared.operations.observing import Flow
from shared.runtime.core import Append, Unit


class PredictionTelemetry(Flow):
    """A state counts lost labels from a lane's beginning; a process counts them from where it met the lane."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self._lanes: dict[Unit, PredictionState] = {}

    def wrote(self, append: Append) -> None:
        if append.topic == PERFORMANCE.name:
            counted = PerformanceCounted.model_validate_json(append.value)
            self._count(counted.pipeline, "joined", counted.labels)

    def changed(self, unit: Unit, state: object) -> None:
        if isinstance(state, PredictionState):
            before = self._lanes.get(unit, state)
            self._count(unit.pipeline, "conflicting", state.conflicting - before.conflicting)
            self._count(unit.pipeline, "unlabelled", state.unlabelled - before.unlabelled)
            self._count(unit.pipeline, "unmatched", state.unmatched - before.unmatched)
            self._lanes[unit] = state

    def _count(self, pipeline: str, outcome: str, labels: int) -> None:
        # Counts go back where the lane went to another process and came back here with an older state.
        self.metrics.labels.labels(self.metrics.pipeline(pipeline), outcome).inc(max(0, labels))
