"""The running system, seen from this machine: its log, its blobs, its doors. They are opened here and nowhere else."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.cli.errors import UserError

if TYPE_CHECKING:
    from services.cli.client import Doors
    from shared.adapters.kafka.connection import Connection
    from shared.adapters.kafka.topics import Layout
    from shared.events.topics import Topic
    from shared.runtime.ports import Blobs, Groups, Log

INGESTION_URL = ("DRIFTLOOP_URL", "http://localhost:8080")
PREDICTION_URL = ("DRIFTLOOP_PREDICTION_URL", "http://localhost:8081")
"""The variable that says where a door is, and where it is by default."""
PATIENCE = 5.0
"""Seconds for a door to say that it is there."""
NAME = "cli"
"""What the broker's logs and quotas call us."""

CURE = "is it started, and do DRIFTLOOP_KAFKA_BOOTSTRAP and DRIFTLOOP_KAFKA_PREFIX say where it is?"


class NoLog(UserError):
    """The running system's log can't be read from here."""


class NoDoor(UserError):
    """No door answered in time."""


@dataclass(frozen=True, slots=True)
class Door:
    """A service's HTTP door; ``probe`` is a path that answers whom it doesn't know, ``variable`` where it is set."""

    name: str
    url: str
    probe: str
    variable: str


def connection() -> Connection:
    """Where the environment says that the broker is."""
    from shared.operations.assembly import connection_of
    from shared.operations.settings import KafkaSettings

    # The library tells every refused connection on standard error; an error is told once, by us, in one line.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    return connection_of(KafkaSettings.load(), NAME)


def topics() -> tuple[Topic, ...]:
    """All of them: what services say, and the states that they keep in the log."""
    from shared.adapters.kafka.topics import WITH_STATES, snapshot_topic
    from shared.events.topics import TOPICS

    return (*TOPICS, *(snapshot_topic(core) for core in WITH_STATES))


def layout() -> Layout:
    """What the environment says of partitions and copies."""
    from shared.adapters.kafka.topics import Layout
    from shared.operations.settings import KafkaSettings

    settings = KafkaSettings.load()
    return Layout(settings.partitions, settings.replication_factor, settings.min_insync_replicas)


@contextmanager
def opened_log() -> Iterator[Log]:
    """`NoLog` where no broker answers, or where it holds no Driftloop."""
    from shared.adapters.kafka.log import KafkaLog
    from shared.events.topics import LEDGER
    from shared.runtime.ports import LogError

    at = connection()
    log = KafkaLog(at)
    try:
        try:
            log.partitions(LEDGER.name)
        except LogError as error:
            cause = str(error).partition(";")[0]
            raise NoLog(f"the running system's ledger can't be read: {cause}; {CURE}") from error
        yield log
    finally:
        log.close()


@contextmanager
def opened_groups() -> Iterator[Groups]:
    """For looking at how far each service has read; nothing is joined."""
    from shared.adapters.kafka.groups import KafkaGroups

    groups = KafkaGroups(connection())
    try:
        yield groups
    finally:
        groups.close()


def settings() -> dict[str, str]:
    """What the environment says of the running system, secrets blanked out."""
    from shared.operations.settings import BlobSettings, KafkaSettings, RedisSettings, describe

    found = (describe(kind.load()) for kind in (KafkaSettings, RedisSettings, BlobSettings))
    return {name: value for some in found for name, value in some.items()}


def topic_differences() -> list[str]:
    """How the broker's topics differ from their declarations. LogError where no broker answers."""
    from shared.adapters.kafka.topics import verify

    return verify(connection(), topics(), layout())


def redis_down() -> str:
    """Why Redis gives no answer, or ""."""
    from shared.access.stores import StoreDown
    from shared.operations.assembly import cache_of
    from shared.operations.settings import RedisSettings

    cache = cache_of(RedisSettings.load())
    try:
        cache.ask("PING")
    except StoreDown as error:
        return str(error)
    finally:
        cache.close()
    return ""


@contextmanager
def opened_doors(url: str | None = None, *, seconds: float) -> Iterator[Doors]:
    """Both doors. ``url``: ingestion's, where it isn't the environment's; ``seconds``: how long they are tried.

    `NoDoor` where nobody answers in that time.
    """
    from services.cli.client import Doors, Retrying, Undelivered

    opened = Doors(
        url or _where(INGESTION_URL),
        os.environ.get("DRIFTLOOP_TOKEN"),
        prediction_url=_where(PREDICTION_URL),
        retrying=Retrying(seconds=seconds),
    )
    try:
        yield opened
    except Undelivered as error:
        cure = "is the service up, and do DRIFTLOOP_URL and DRIFTLOOP_PREDICTION_URL say where?"
        raise NoDoor(f"no door took it within {seconds:.0f} s ({error.cause}); {cure}") from error
    finally:
        opened.close()


def doors() -> tuple[Door, ...]:
    """Ingestion's and prediction's, where the environment says that they are."""
    return (
        Door("ingestion", _where(INGESTION_URL), "/openapi.json", INGESTION_URL[0]),
        Door("prediction", _where(PREDICTION_URL), "/v2/health/ready", PREDICTION_URL[0]),
    )


def refusal_of(door: Door) -> str:
    """Why a door takes nothing now, or ""."""
    import httpx

    try:
        answer = httpx.get(door.url.rstrip("/") + door.probe, timeout=PATIENCE)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__}: {error}"
    return "" if answer.is_success else f"it answers {answer.status_code}"


def _where(named: tuple[str, str]) -> str:
    variable, default = named
    return os.environ.get(variable) or default


def opened_blobs() -> Blobs:
    """UserError where the folder of blobs isn't mounted here: nothing is said of what it holds."""
    from shared.adapters.files import FileBlobs
    from shared.operations.settings import BlobSettings

    folder = BlobSettings.load().folder
    if not folder.is_dir():
        raise UserError(
            f"the running system's blobs can't be read from here: there is no folder {folder}; "
            "mount it and set DRIFTLOOP_BLOBS_FOLDER, or run this where it is"
        )
    return FileBlobs(folder)
