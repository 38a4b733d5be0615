"""What training's ledger means as numbers: how many jobs run, how long they take, and which failed."""

from __future__ import annotations

from services.training.state import TrainingState
from shared.events.envelope import from_message
from shared.events.topics import LEDGER
from shared.events.training import EvaluationCompleted, JobFailed, ProbeCompleted, TrainingCompleted
from shared.operations.metrics import Metrics
from shared.operations.observing import Flow
from shared.runtime.core import Message, Unit

KINDS = {TrainingCompleted: "training", EvaluationCompleted: "evaluation", ProbeCompleted: "probe"}


class TrainingTelemetry(Flow):
    """Results come from child processes, so they are seen when they come back over the ledger."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self._running: dict[Unit, int] = {}

    def begin(self) -> None:
        self._running.clear()
        self.metrics.jobs_running.set(0)

    def read(self, message: Message) -> None:
        event = from_message(message) if message.topic == LEDGER.name else None
        if isinstance(event, TrainingCompleted | EvaluationCompleted | ProbeCompleted):
            self.metrics.job_seconds.labels(KINDS[type(event)]).observe(event.measured_seconds)
        elif isinstance(event, JobFailed):
            self.metrics.jobs_failed.labels(self.metrics.pipeline(event.pipeline)).inc()

    def changed(self, unit: Unit, state: object) -> None:
        if isinstance(state, TrainingState):
            self._running[unit] = sum(job.token is not None for job in state.jobs.open)
            self.metrics.jobs_running.set(sum(self._running.values()))
