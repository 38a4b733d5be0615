"""A Driftloop's worth of topics on a broker: unique names, short times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from os import getpid
from time import sleep, time_ns
from typing import Any

from kafka.admin import MemberToRemove

from shared.adapters.kafka import Connection, KafkaGroups, KafkaLog, Patience, TransactionalProducer
from shared.adapters.kafka.catalogue import HEADROOM
from shared.adapters.kafka.clients import admin, close_quietly
from shared.adapters.memory import TopicSettings
from shared.runtime.ports import Membership
from tests.waiting import until

RETENTION = 1_000
"""Milliseconds that a topic with a retention keeps its messages, whatever its settings say."""
SEGMENT = 200
"""Milliseconds after which such a topic's segments are closed; only closed ones are cleaned."""
QUICK = Patience(session=30_000, heartbeat=100, join=120_000, answer=3_000)
"""Members learn of each other quickly; none is given up because the machine was busy for a while."""
TRANSACTION = 10_000
"""Milliseconds after which a transaction is given up: longer than an offset in doubt is asked for."""
_numbers = count()


@dataclass(frozen=True)
class KafkaCluster:
    """A log and groups on a broker, and what a test does behind their backs."""

    connection: Connection
    log: KafkaLog
    groups: KafkaGroups
    client: Any = field(repr=False)

    def clean(self) -> None:
        """Lets the broker clean: its last segment must be old and something must be appended, which nobody sees."""
        sleep(SEGMENT / 1000)
        producer = self.log.producer("cleaner")
        producer.begin()
        producer.append("compacted", 0, "cleaner", b"", {})
        producer.abort()

    def outlive(self) -> None:
        """Until everything there is now is older than a topic's retention."""
        sleep(RETENTION / 1000 + 0.1)

    def expire(self) -> None:
        """Until the broker has given up open transactions."""
        until(lambda: self.log.settled("plain", 0))

    def lose(self, membership: Membership) -> None:
        """The broker no longer knows the member, who isn't told."""
        gone = MemberToRemove(member_id=membership.member)
        self.client.remove_group_members(self.connection.own_name(membership.group), [gone])


class PromptLog(KafkaLog):
    """Its transactions are where a test believes them to be when a call returns.

    Otherwise an append may still be under way until `cover` or `commit`, and after `commit` or `abort`, which return
    when the coordinator has decided, readers may have to wait for the decision to be written to every partition.
    """

    def __init__(self, connection: Connection, transaction: int, client: Any) -> None:
        super().__init__(connection, transaction)
        self._of = connection
        self._client = client

    def producer(self, name: str) -> TransactionalProducer:
        producer = super().producer(name)
        _after(producer, "append", producer.settle)
        _after(producer, "commit", lambda: self._decided(name))
        _after(producer, "abort", lambda: self._decided(name))
        return producer

    def _decided(self, name: str) -> None:
        own = self._of.own_name(name)
        until(lambda: not self._client.describe_transactions([own])[own].state.startswith("Prepare"))


def _after(target: object, method: str, then: Callable[[], None]) -> None:
    call = getattr(target, method)

    def both(*arguments: Any) -> None:
        call(*arguments)
        then()

    setattr(target, method, both)


@contextmanager
def cluster(address: str, topics: Mapping[str, TopicSettings]) -> Iterator[KafkaCluster]:
    connection = connection_to(address)
    client = admin(connection)
    create(client, connection, topics)
    log, groups = PromptLog(connection, TRANSACTION, client), KafkaGroups(connection, QUICK)
    try:
        yield KafkaCluster(connection, log, groups, client)
    finally:
        groups.close()
        log.close()
        close_quietly(client)


def connection_to(address: str) -> Connection:
    """Under a prefix that nobody else uses."""
    return Connection(address, prefix=f"test-{getpid()}-{time_ns()}-{next(_numbers)}")


def create(client: Any, connection: Connection, topics: Mapping[str, TopicSettings]) -> None:
    wanted = {
        connection.wire_name(name): {
            "num_partitions": settings.partitions,
            "replication_factor": 1,
            "configs": _configs(settings),
        }
        for name, settings in topics.items()
    }
    client.create_topics(wanted, wait_for_metadata=True)


def _configs(settings: TopicSettings) -> dict[str, str]:
    configs = {
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(settings.max_message_bytes + HEADROOM),
    }
    if settings.compacted:
        configs |= {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.001", "segment.ms": str(SEGMENT)}
    if settings.retention >= 0:
        configs |= {"retention.ms": str(RETENTION), "segment.ms": str(SEGMENT)}
    return configs
