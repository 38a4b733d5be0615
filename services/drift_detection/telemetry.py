"""What drift detection's states mean as numbers: how close each test is to an alarm, and what is open."""

from __future__ import annotations

from math import exp, log

from services.drift_detection.state import DriftState
from shared.domain.pipeline_file import decode_pipeline
from shared.operations.metrics import Metrics
from shared.operations.observing import Flow
from shared.runtime.core import Read, Unit

LARGEST = 20.0
"""ln of the largest ratio that is told: evidence grows without bound, dashboards don't."""


class DriftTelemetry(Flow):
    """``read`` opens pipeline files: the threshold of the loss test stands in them."""

    def __init__(self, metrics: Metrics, read: Read) -> None:
        super().__init__(metrics)
        self._read = read

    def moved(self, unit: Unit, state: object) -> None:
        if not isinstance(state, DriftState) or not state.file:
            return
        pipeline = self.metrics.pipeline(unit.pipeline)
        self.metrics.data_faults_open.labels(pipeline).set(len(state.faults))
        self.metrics.episodes_open.labels(pipeline).set(sum(episode.detected for episode in state.episodes))
        evidence = self.metrics.evidence_ratio
        if state.input_evidence is not None:
            evidence.labels(pipeline, "inputs").set(exp(min(LARGEST, state.input_evidence)))
        limit = self._read(state.file, decode_pipeline).drift.performance.false_alarm_labels
        evidence.labels(pipeline, "performance").set(exp(min(LARGEST, state.loss.evidence - log(limit))))
