"""What training's ledger means as numbers: how long jobs take, and which failed."""

from __future__ import annotations

from shared.events.envelope import from_message
from shared.events.topics import LEDGER
from shared.events.training import EvaluationCompleted, JobFailed, ProbeCompleted, TrainingCompleted
from shared.operations.observing import Flow
from shared.runtime.core import Message

KINDS = {TrainingCompleted: "training", EvaluationCompleted: "evaluation", ProbeCompleted: "probe"}


class TrainingTelemetry(Flow):
    """Results come from child processes, so they are seen when they come back over the ledger."""

    def seen(self, message: Message) -> None:
        super().seen(message)
        event = from_message(message) if message.topic == LEDGER.name else None
        if isinstance(event, TrainingCompleted | EvaluationCompleted | ProbeCompleted):
            self.metrics.job_seconds.labels(KINDS[type(event)]).observe(event.measured_seconds)
        elif isinstance(event, JobFailed):
            self.metrics.jobs_failed.labels(self.metrics.pipeline(event.pipeline)).inc()
