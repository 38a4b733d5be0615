"""What drift detection reads and remembers, as numbers: how close each test is to an alarm, what is broken, and how
good the version in service is. All lanes of a pipeline come together here."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import exp, log

from services.drift_detection.state import DriftState
from shared.domain.pipeline_file import decode_pipeline
from shared.domain.quality import Quality, metrics
from shared.events.prediction import PerformanceCounted
from shared.events.topics import PERFORMANCE
from shared.operations.metrics import Metrics
from shared.operations.observing import Flow
from shared.runtime.core import Message, Read, Unit

LARGEST = 20.0
"""ln of the largest ratio that is told: evidence grows without bound, dashboards don't."""
WINDOW = 1000
"""Labelled rows, at least, that quality is told of: fewer are noise, and over many more a fall shows too late."""


@dataclass(slots=True)
class _Recent:
    """Counts of the newest labelled rows that ``version`` predicted, slice by slice."""

    version: str | None
    slices: deque[Quality] = field(default_factory=deque)

    def joined_by(self, counts: Quality) -> deque[Quality]:
        """The slices that would be kept beside the new one."""
        slices = deque((*self.slices, counts))
        while sum(each.n for each in slices) - slices[0].n >= WINDOW:
            slices.popleft()
        return slices


class DriftTelemetry(Flow):
    """``read`` opens pipeline files: the threshold of the loss test stands in them."""

    def __init__(self, metrics: Metrics, read: Read) -> None:
        super().__init__(metrics)
        self._open = read
        self._recent: dict[str, _Recent] = {}

    def begin(self) -> None:
        self._recent.clear()
        for gauge in (self.metrics.quality, self.metrics.data_faults_open, self.metrics.evidence_ratio):
            gauge.clear()

    def read(self, message: Message) -> None:
        if message.topic != PERFORMANCE.name:
            return
        counted = PerformanceCounted.model_validate_json(message.value)
        recent = self._recent.get(counted.pipeline)
        if recent is None or recent.version != counted.serving:
            recent = self._recent[counted.pipeline] = self._followed(counted.pipeline, recent, counted.serving)
        counts = counted.versions.get(counted.serving or "", Quality())
        if counts.n > 0:
            slices = recent.joined_by(counts)
            self._tell_quality(counted, sum(slices, Quality()))
            # Kept last: counts that no number can be made of would stand in the way of those after them.
            recent.slices = slices

    def changed(self, unit: Unit, state: object) -> None:
        if isinstance(state, DriftState) and state.file:
            pipeline = self.metrics.pipeline(unit.pipeline)
            self.metrics.data_faults_open.labels(pipeline).set(len(state.faults))
            self._tell_inputs(pipeline, state)
            self._tell_losses(pipeline, state)

    def _followed(self, pipeline: str, recent: _Recent | None, version: str | None) -> _Recent:
        """What was told of the version before goes, so that there is one per pipeline, however many served."""
        if recent is not None:
            gone = {"pipeline": self.metrics.pipeline(pipeline), "version": recent.version or ""}
            self.metrics.quality.remove_by_labels(gone)
        return _Recent(version)

    def _tell_quality(self, counted: PerformanceCounted, quality: Quality) -> None:
        pipeline = self.metrics.pipeline(counted.pipeline)
        for measure, value in metrics(quality).items():
            self.metrics.quality.labels(pipeline, counted.serving or "", measure).set(value)

    def _tell_inputs(self, pipeline: str, state: DriftState) -> None:
        """The state has log10 of the ratio."""
        inputs = 0.0 if state.input_evidence is None else exp(min(LARGEST, state.input_evidence * log(10)))
        self.metrics.evidence_ratio.labels(pipeline, "inputs").set(inputs)

    def _tell_losses(self, pipeline: str, state: DriftState) -> None:
        """The state has ln of the evidence; what it is measured against stands in the pipeline's file."""
        limit = self._open(state.file, decode_pipeline).drift.performance.false_alarm_labels
        losses = exp(min(LARGEST, state.loss.evidence - log(limit)))
        self.metrics.evidence_ratio.labels(pipeline, "performance").set(losses)
