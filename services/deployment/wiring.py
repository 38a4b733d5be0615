"""The composition root of deployment."""

from __future__ import annotations

from services.deployment.core import Deployment
from services.deployment.telemetry import DeploymentTelemetry
from shared.operations.assembly import clients, log_host, worker_part
from shared.operations.metrics import Metrics
from shared.operations.service import Service, turning


def build(metrics: Metrics) -> Service:
    core, using = Deployment(), clients(Deployment.name)
    part = worker_part(core, using, log_host(core, using, atomic=False), DeploymentTelemetry(metrics))
    return Service(turning(part))
