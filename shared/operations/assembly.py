"""From settings to clients to a worker: the part of the composition that all services have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from shared.adapters.files import FileBlobs
from shared.adapters.kafka.connection import Connection, Security
from shared.adapters.kafka.groups import KafkaGroups
from shared.adapters.kafka.log import KafkaLog
from shared.adapters.kafka.member import Patience
from shared.adapters.redis.client import Cache
from shared.events.letters import set_aside
from shared.events.topics import LARGEST, TOPICS
from shared.operations.lag import Lag
from shared.operations.loop import WorkerPart
from shared.operations.observing import Flow
from shared.operations.settings import BlobSettings, KafkaSettings, RedisSettings
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Answer, Core, Run
from shared.runtime.hosts import LogHost
from shared.runtime.worker import Worker, WorkerHost

LANE_TOPICS = frozenset(topic.name for topic in TOPICS if topic.per_lane)


@dataclass(frozen=True, slots=True)
class Clients:
    """A process's connections. ``member`` names this incarnation of the process and is never used again."""

    connection: Connection
    log: KafkaLog
    groups: KafkaGroups
    blobs: FileBlobs
    read: BlobReader
    member: str

    def close(self) -> None:
        self.groups.close()
        self.log.close()


def clients(service: str) -> Clients:
    settings, blobs = KafkaSettings.load(), FileBlobs(BlobSettings.load().folder)
    connection = connection_of(settings, service)
    groups = KafkaGroups(connection, patience_of(settings))
    member = f"{service}-{uuid4().hex[:12]}"
    return Clients(connection, KafkaLog(connection), groups, blobs, BlobReader(blobs), member)


def cache_of(settings: RedisSettings) -> Cache:
    password = settings.password.get_secret_value() if settings.password else None
    return Cache(settings.url, password=password, patience=settings.timeout_ms / 1000)


def patience_of(settings: KafkaSettings) -> Patience:
    session = int(settings.session_seconds * 1000)
    return Patience(session=session, heartbeat=session // 10, unit=int(settings.unit_seconds * 1000))


def connection_of(settings: KafkaSettings, client: str) -> Connection:
    security = Security(
        settings.security_protocol,
        settings.sasl_mechanism,
        settings.username,
        settings.password.get_secret_value() if settings.password else None,
        settings.ca_file,
    )
    return Connection(settings.bootstrap, settings.prefix, client, security)


def log_host(core: Core[Any], using: Clients, *, atomic: bool, start: Callable[[Run], None] | None = None) -> LogHost:
    """States in the log. The transactional name is this process's own: the group's generation fences, not the name."""
    return LogHost(
        core,
        using.log,
        using.groups,
        member=using.member,
        transactional=using.member,
        start=start or _runs_nothing,
        answer=_answers_nobody,
        atomic=atomic,
    )


def worker_part(
    core: Core[Any],
    using: Clients,
    host: WorkerHost,
    observer: Flow,
    extra: Sequence[Callable[[], bool]] = (),
) -> WorkerPart:
    worker = Worker(
        core,
        using.log,
        using.read,
        host,
        lane_topics=LANE_TOPICS,
        observer=observer,
        set_aside=set_aside(core.name),
        largest=LARGEST,
    )
    lag = Lag(worker.positions, using.log, observer.metrics)
    return WorkerPart(worker, using.log, close=using.close, extra=(*extra, lag.turn))


def _runs_nothing(run: Run) -> None:
    raise TypeError(f"job {run.job} was asked for where no jobs are run: only training's host starts them")


def _answers_nobody(answer: Answer) -> None:
    raise TypeError(f"request {answer.request} was answered where nobody asks: only ingestion's host has a desk")
