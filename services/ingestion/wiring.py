"""The composition root of ingestion: a core behind an HTTP door, and the topics that producers write to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import orjson

from services.ingestion.core import Ingestion
from services.ingestion.door.application import application
from services.ingestion.settings import IngestionSettings, ProducerTopic
from shared.access.tokens import access_of
from shared.adapters.kafka.connection import FOREIGN
from shared.adapters.redis.idempotency import IdempotencyWindow
from shared.adapters.redis.read_model import RedisReadModel
from shared.events.letters import set_aside
from shared.events.topics import LARGEST, RECORDS_OFFERED
from shared.operations.assembly import LANE_TOPICS, Clients, cache_of, clients
from shared.operations.counter import CounterPart
from shared.operations.desk import Desk
from shared.operations.lag import Lag
from shared.operations.metrics import Metrics
from shared.operations.observing import Flow
from shared.operations.service import Service, turning
from shared.operations.settings import RedisSettings
from shared.operations.subscription import Subscription
from shared.operations.web import WebDoor
from shared.runtime.core import Answer, Message, Request, Run, Unit
from shared.runtime.hosts import ProcessHost
from shared.runtime.ports import Place
from shared.runtime.worker import Worker


def build(metrics: Metrics) -> Service:
    settings, using = IngestionSettings.load(), clients(Ingestion.name)
    cache = cache_of(RedisSettings.load())
    desk = Desk(settings.held_bytes, metrics)
    part = _part(settings, using, desk, metrics)
    app = application(
        desk,
        access_of(settings.token_file),
        IdempotencyWindow(cache, using.connection.prefix, seconds=settings.idempotency_seconds),
        using.blobs,
        RedisReadModel(cache, using.connection.prefix),
        settings.limits,
        metrics,
    )
    return Service(turning(part), (WebDoor(app, settings.host, settings.port),), cache.close)


def _part(settings: IngestionSettings, using: Clients, desk: Desk, metrics: Metrics) -> CounterPart:
    labels = tuple(FOREIGN + each.topic for each in settings.producer_topics if each.brings == "labels")
    core = Ingestion(label_topics=labels)
    host = ProcessHost(core, using.log, _runs_nothing, desk.answer)
    worker = Worker(
        core,
        using.log,
        using.read,
        host,
        lane_topics=LANE_TOPICS,
        observer=Flow(metrics),
        set_aside=set_aside(core.name),
        largest=LARGEST,
    )
    subscriptions = _subscriptions(settings.producer_topics, using, worker)
    readers: tuple[Worker | Subscription, ...] = (worker, *subscriptions)

    def positions() -> Mapping[Place, int]:
        return {place: at for reader in readers for place, at in reader.positions().items()}

    return CounterPart(
        worker,
        using.log,
        desk,
        subscriptions,
        unknown_outcome=_unknown_outcome,
        lag=Lag(positions, using.log, metrics).turn,
        close=using.close,
    )


def _subscriptions(topics: Sequence[ProducerTopic], using: Clients, worker: Worker) -> list[Subscription]:
    """The door that every producer may use, whose keys name pipelines, and those that were set up for one each."""
    pipelines = {RECORDS_OFFERED.name: "", **{FOREIGN + each.topic: each.pipeline for each in topics}}
    return [
        Subscription(
            using.log,
            using.groups,
            topic,
            group=f"{Ingestion.name}.{topic.removeprefix(FOREIGN)}",
            member=using.member,
            deliver=_deliver(worker, pipeline),
        )
        for topic, pipeline in pipelines.items()
    ]


def _deliver(worker: Worker, pipeline: str) -> Callable[[Sequence[Message]], None]:
    def deliver(messages: Sequence[Message]) -> None:
        named = [replace(message, key=pipeline or message.key) for message in messages]
        worker.deliver([(Unit(message.key), message) for message in named])

    return deliver


def _unknown_outcome(request: Request) -> Answer:
    message = "the log did not acknowledge in time, so nobody knows whether this was taken"
    return Answer(request.id, 503, orjson.dumps({"reason": "unknown-outcome", "message": message}))


def _runs_nothing(run: Run) -> None:
    raise TypeError(f"ingestion was asked to run job {run.job}: only training runs jobs")
