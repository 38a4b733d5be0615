"""The composition root of validation."""

from __future__ import annotations

from services.validation.core import Validation
from services.validation.telemetry import ValidationTelemetry
from shared.operations.assembly import clients, log_host, worker_part
from shared.operations.metrics import Metrics
from shared.operations.service import Service, turning


def build(metrics: Metrics) -> Service:
    core, using = Validation(), clients(Validation.name)
    part = worker_part(core, using, log_host(core, using, atomic=True), ValidationTelemetry(metrics))
    return Service(turning(part))
