"""The composition root of drift detection: the core on the Faust host."""

from __future__ import annotations

from services.drift_detection.core import DriftDetection
from services.drift_detection.telemetry import DriftTelemetry
from shared.adapters.faust import FaustHost, Timing
from shared.adapters.files import FileBlobs
from shared.events.letters import set_aside
from shared.operations.assembly import connection_of
from shared.operations.health import Health
from shared.operations.lifecycle import Lifecycle
from shared.operations.metrics import Metrics
from shared.operations.service import Run, Service
from shared.operations.settings import BlobSettings, KafkaSettings
from shared.runtime.blobs import BlobReader


def build(metrics: Metrics) -> Service:
    core, read = DriftDetection(), BlobReader(FileBlobs(BlobSettings.load().folder))
    settings = KafkaSettings.load()
    host = FaustHost(
        core,
        connection_of(settings, core.name),
        read,
        set_aside(core.name),
        observer=DriftTelemetry(metrics, read),
        timing=Timing(session=settings.session_seconds),
    )
    return Service(_run(host))


def _run(host: FaustHost) -> Run:
    """Faust turns its own loop, and asks now and then whether to stop: that is when health and lag are told."""

    def run(lifecycle: Lifecycle, health: Health, metrics: Metrics) -> int:
        def stopping() -> bool:
            health.beat()
            health.opened() if host.assigned else health.closed("waiting for its partitions")
            for topic, messages in host.lag.items():
                metrics.lag_messages.labels(topic).set(messages)
            return lifecycle.stopping.is_set()

        return host.run(stopping)

    return run
