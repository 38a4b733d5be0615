"""What a run says as it goes, gathered for the result: counts, curves, and the ledger."""

from __future__ import annotations

import math

from services.backtest.refusals import Refusals
from services.backtest.result import Coverage, EvidencePoint, PolicyResult, QualityPoint
from services.drift_detection.state import DriftState
from services.embedded.system import Embedded
from shared.domain.pipeline import Pipeline
from shared.domain.quality import Quality
from shared.events.base import Event
from shared.events.deployment import CandidatePromoted, CandidateRejected, PromotionRolledBack
from shared.events.drift_detection import DataFaultFound, DriftDetected
from shared.events.prediction import PerformanceCounted
from shared.events.topics import LEDGER, PERFORMANCE
from shared.events.training import ProbeCompleted, TrainingCompleted

POINTS = 400
"""Points that a curve keeps at most: when there are twice as many, neighbours are merged."""


class Tally:
    """Bounded in memory, whatever the stream's length, but for the ledger, which grows with decisions only."""

    def __init__(self, policy: str, pipeline: Pipeline) -> None:
        self._policy = policy
        self._pipeline = pipeline
        self._quality = Quality()
        self._curve: list[QualityPoint] = []
        self._evidence: list[EvidencePoint] = []
        self._every = pipeline.steps.size * pipeline.lanes
        self._open = Quality()
        self._next = 0
        self._refusals = Refusals()
        self._rows = self._labelled = 0
        self._served_from: int | None = None
        self._alarms: list[int] = []
        self._faults: list[int] = []
        self.ledger: list[Event] = []

    def look(self, system: Embedded, row: int) -> None:
        """Take in what was said since the last look, when the stream's first ``row`` records had come in."""
        self._rows = row
        self._refusals.look(system.log)
        for _, event in system.new_events(PERFORMANCE.name):
            if isinstance(event, PerformanceCounted):
                self._labelled += event.labels
                for quality in event.versions.values():
                    self._open = self._open + quality
        for _, event in system.new_events(LEDGER.name):
            self._note(event)
            self.ledger.append(event)
        if row >= self._next:
            self._point(system, row)

    def _note(self, event: Event) -> None:
        if isinstance(event, DriftDetected):
            self._alarms.append(self._index(event.row - 1))
        elif isinstance(event, DataFaultFound):
            self._faults.append(self._index(event.first))
        elif isinstance(event, CandidatePromoted) and self._served_from is None:
            self._served_from = self._rows

    def _index(self, position: int) -> int:
        """Where in the stream a received row stood: positions pass over what ingestion refused."""
        return min(position + self._refusals.at_ingestion, self._rows - 1)

    def latest(self, labels: int) -> Quality:
        """Quality over the last ``labels`` labelled rows, or some more: a point of the curve counts whole."""
        found = self._open
        for point in reversed(self._curve):
            if found.n >= labels:
                break
            found = found + point.quality
        return found

    def result(self, seconds: float) -> PolicyResult:
        if self._open.n:
            last = self._curve[-1].row if self._curve else 0
            self._curve.append(QualityPoint(last, self._open))
            self._quality = self._quality + self._open
        fits = [e for e in self.ledger if isinstance(e, TrainingCompleted)]
        probes = [e for e in self.ledger if isinstance(e, ProbeCompleted)]
        return PolicyResult(
            name=self._policy,
            quality=self._quality,
            retrainings=max(0, len(fits) - 1),
            promotions=max(0, self._count(CandidatePromoted) - 1),
            rejections=self._count(CandidateRejected),
            rollbacks=self._count(PromotionRolledBack),
            alarms=tuple(self._alarms),
            data_faults=tuple(self._faults),
            train_seconds=sum(e.measured_seconds for e in fits) + sum(e.measured_seconds for e in probes),
            wall_seconds=seconds,
            probes=sum(e.fits for e in probes),
            coverage=self._coverage(),
            curve=tuple(self._curve),
            evidence=tuple(self._evidence),
            ledger=tuple(self.ledger),
        )

    def _coverage(self) -> Coverage:
        refused = self._refusals.at_ingestion + self._refusals.by_validation
        return Coverage(refused, self._rows - refused - self._labelled, self._served_from)

    def _count(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.ledger)

    def _point(self, system: Embedded, row: int) -> None:
        if self._open.n:
            self._curve.append(QualityPoint(row, self._open))
            self._quality = self._quality + self._open
            self._open = Quality()
        self._evidence.append(_evidence(system.state("drift_detection"), self._pipeline, row))
        if len(self._evidence) >= 2 * POINTS:
            self._thin()
        self._next = row + self._every

    def _thin(self) -> None:
        """Half the points: neighbours' counts are added, of two evidences the stronger stays."""
        self._every *= 2
        pairs = [self._curve[i : i + 2] for i in range(0, len(self._curve), 2)]
        self._curve = [QualityPoint(pair[-1].row, sum((point.quality for point in pair), Quality())) for pair in pairs]
        points = [self._evidence[i : i + 2] for i in range(0, len(self._evidence), 2)]
        self._evidence = [
            EvidencePoint(
                pair[-1].row,
                max((p.inputs for p in pair if p.inputs is not None), default=None),
                max((p.performance for p in pair if p.performance is not None), default=None),
            )
            for pair in points
        ]


def _evidence(state: object, pipeline: Pipeline, row: int) -> EvidencePoint:
    """Evidence over threshold, in powers of ten."""
    if not isinstance(state, DriftState):
        return EvidencePoint(row, None, None)
    loss = None
    if state.loss.bound is not None:
        threshold = math.log(pipeline.drift.performance.false_alarm_labels)
        loss = (state.loss.evidence - threshold) / math.log(10)
    return EvidencePoint(row, state.input_evidence, loss)
