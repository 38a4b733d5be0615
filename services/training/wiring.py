"""The composition root of training: the loop claims, children do the work, the keeper renews the leases."""

from __future__ import annotations

from services.training.child import PRELOADED, job_with
from services.training.core import Training
from services.training.keeper import Keeper
from services.training.settings import TrainingSettings
from services.training.telemetry import TrainingTelemetry
from shared.operations.assembly import clients, log_host, worker_part
from shared.operations.children import Children
from shared.operations.metrics import Metrics
from shared.operations.service import Service, turning
from shared.operations.settings import BlobSettings, KafkaSettings, OperationsSettings
from shared.runtime.hosts import append_to


def build(metrics: Metrics) -> Service:
    settings, using = TrainingSettings.load(), clients(Training.name)
    children = Children(
        job_with(KafkaSettings.load(), BlobSettings.load(), OperationsSettings.load()),
        limit=settings.parallel_jobs,
        seconds=settings.job_seconds,
        preload=PRELOADED,
    )
    core = Training(using.member)
    keeper = Keeper(children, lambda append: append_to(using.log, append), using.log.now)
    host = log_host(core, using, atomic=False, start=children.start)
    part = worker_part(core, using, host, TrainingTelemetry(metrics), extra=(keeper.turn,))
    return Service(turning(part), close=children.close)
