"""What prediction's messages mean as numbers: the quality of the version in service, and what became of labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from services.prediction.core import PredictionState
from shared.domain.quality import Quality, metrics
from shared.events.prediction import PerformanceCounted
from shared.events.topics import PERFORMANCE
from shared.operations.metrics import Metrics
from shared.operations.observing import Flow
from shared.runtime.core import Append, Unit


@dataclass(frozen=True, slots=True)
class _Lane:
    """Counts so far, and the served version that ``quality`` is of."""

    serving: str | None = None
    quality: Quality = field(default_factory=Quality)
    conflicting: int = 0
    unlabelled: int = 0


class PredictionTelemetry(Flow):
    """Quality is counted from when the version came into service, or this process began."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self._lanes: dict[Unit, _Lane] = {}

    def said(self, append: Append) -> None:
        super().said(append)
        if append.topic == PERFORMANCE.name:
            counted = PerformanceCounted.model_validate_json(append.value)
            unit = Unit(counted.pipeline, counted.lane)
            self._lanes[unit] = self._after(self._lanes.get(unit, _Lane()), counted)
            self._tell(counted)

    def moved(self, unit: Unit, state: object) -> None:
        """A new process starts to count lost labels from where its lanes stand."""
        if isinstance(state, PredictionState) and unit not in self._lanes:
            self._lanes[unit] = _Lane(state.version, Quality(), state.conflicting, state.unlabelled)

    def _after(self, lane: _Lane, counted: PerformanceCounted) -> _Lane:
        pipeline = self.metrics.pipeline(counted.pipeline)
        self.metrics.labels.labels(pipeline, "joined").inc(counted.labels)
        self.metrics.labels.labels(pipeline, "conflicting").inc(max(0, counted.conflicting - lane.conflicting))
        self.metrics.labels.labels(pipeline, "unlabelled").inc(max(0, counted.unlabelled - lane.unlabelled))
        if lane.serving != counted.serving:
            lane = replace(lane, serving=counted.serving, quality=Quality())
        quality = lane.quality + counted.versions.get(counted.serving or "", Quality())
        return replace(lane, quality=quality, conflicting=counted.conflicting, unlabelled=counted.unlabelled)

    def _tell(self, counted: PerformanceCounted) -> None:
        lanes = [
            lane
            for unit, lane in self._lanes.items()
            if unit.pipeline == counted.pipeline and lane.serving == counted.serving
        ]
        pipeline = self.metrics.pipeline(counted.pipeline)
        for measure, value in metrics(sum((lane.quality for lane in lanes), Quality())).items():
            self.metrics.quality.labels(pipeline, measure).set(value)
