"""The composition root of prediction: the stream's rows on one thread, people's and programs' questions on others."""

from __future__ import annotations

from collections.abc import Sequence

from services.prediction.core import Prediction
from services.prediction.door.application import application
from services.prediction.door.offers import Offers
from services.prediction.door.served import Served
from services.prediction.settings import PredictionSettings
from services.prediction.telemetry import PredictionTelemetry
from shared.access.tokens import access_of
from shared.adapters.kafka.log import KafkaLog
from shared.events.topics import SERVING
from shared.operations.assembly import Clients, clients, log_host, worker_part
from shared.operations.follower import Follower, FollowerThread
from shared.operations.metrics import Metrics
from shared.operations.service import Door, Service, turning
from shared.operations.web import WebDoor
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Append
from shared.runtime.hosts import addressed


def build(metrics: Metrics) -> Service:
    core, using = Prediction(), clients(Prediction.name)
    part = worker_part(core, using, log_host(core, using, atomic=True), PredictionTelemetry(metrics))
    return Service(turning(part), _doors(PredictionSettings.load(), using, metrics))


def _doors(settings: PredictionSettings, using: Clients, metrics: Metrics) -> tuple[Door, ...]:
    """The door has a log of its own: a log is read by one thread, and this one reads what every replica must know."""
    log = KafkaLog(using.connection)
    served = Served(BlobReader(using.blobs), lambda: metrics.degraded("model"))
    feed = FollowerThread(Follower(log, SERVING.name, served.tell), log, served.turn)

    def append_all(appends: Sequence[Append]) -> None:
        log.append_all([addressed(log, append) for append in appends])

    offers = Offers(append_all, metrics.offers_lost.inc, most_bytes=settings.offered_bytes)
    app = application(
        served,
        access_of(settings.token_file),
        offers,
        settings.limits,
        metrics,
        ready=feed.ready,
        threads=settings.threads,
    )
    return feed, offers, WebDoor(app, settings.host, settings.port)
