"""The composition root of prediction: the stream's rows on one thread, people's and programs' questions on others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.prediction.core import Prediction
from services.prediction.door.application import application
from services.prediction.door.offers import Offers
from services.prediction.door.served import Served
from services.prediction.settings import PredictionSettings
from services.prediction.telemetry import PredictionTelemetry
from shared.access.tokens import access_of
from shared.adapters.kafka.log import KafkaLog
from shared.events.topics import SERVING
from shared.operations.assembly import clients, log_host, worker_part
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
    served = Served(BlobReader(using.blobs), lambda: metrics.degraded("model"))
    # The door has a log of its own: a log is read by one thread, and this one reads what every replica must know.
    log = KafkaLog(using.connection)
    feed = FollowerThread(Follower(log, SERVING.name, served.tell), log, served.turn)
    doors = (feed, *_doors(PredictionSettings.load(), log, served, feed.ready, metrics))
    return Service(turning(part), doors, waits=lambda: "" if feed.ready() else "loading the models in service")


def _doors(
    settings: PredictionSettings, log: KafkaLog, served: Served, ready: Callable[[], bool], metrics: Metrics
) -> tuple[Door, ...]:
    """The HTTP door, and what carries the rows that it leaves."""

    def append_all(appends: Sequence[Append]) -> None:
        log.append_all([addressed(log, append) for append in appends])

    offers = Offers(append_all, metrics.offers_lost.inc, most_bytes=settings.offered_bytes)
    access = access_of(settings.token_file)
    app = application(served, access, offers, settings.limits, metrics, ready=ready, threads=settings.threads)
    return offers, WebDoor(app, settings.host, settings.port)
