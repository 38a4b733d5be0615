"""Appends outside transactions: a refused one harms no other, and none fails unseen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from random import Random
from threading import enumerate as threads

import pytest
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, MessageSizeTooLargeError

from shared.adapters.kafka import KafkaLog
from shared.adapters.kafka.catalogue import HEADROOM
from shared.adapters.memory import TopicSettings
from shared.runtime.ports import Addressed, MessageTooLarge
from tests.integration.kafka import stock
from tests.integration.kafka.cluster import KafkaCluster, cluster
from tests.waiting import until

TOPICS = {"wide": TopicSettings(2), "narrow": TopicSettings(1, max_message_bytes=1_000)}
TOO_LARGE = Random(0).randbytes(HEADROOM + 2_000)
DENSE = TOO_LARGE[:1_000]
"""As long as its topic allows, and no shorter when compressed."""


@pytest.fixture
def real(broker: str) -> Iterator[KafkaCluster]:
    with cluster(broker, TOPICS) as started:
        yield started


def values(log: KafkaLog, topic: str, partition: int = 0) -> list[bytes]:
    return [message.value for message in log.read(topic, partition, 0, 10_000)]


# K3: one record that the broker refuses


def test_stock_refuses_everything_after_one_refused_record(real: KafkaCluster) -> None:
    with stock.producer(real.connection.bootstrap) as producer:
        with pytest.raises(MessageSizeTooLargeError):
            producer.send(real.connection.wire_name("narrow"), TOO_LARGE, partition=0).get(60)
        with pytest.raises(KafkaError):
            producer.send(real.connection.wire_name("wide"), b"innocent", partition=0).get(60)


def test_a_message_that_is_too_large_is_never_sent(real: KafkaCluster) -> None:
    with pytest.raises(MessageTooLarge, match="takes 1000 and"):
        real.log.append("narrow", 0, "p", b"x" * 1_001, {})
    real.log.append("narrow", 0, "p", b"x" * 1_000, {"header": "y" * 10_000})
    assert values(real.log, "narrow") == [b"x" * 1_000]


def test_a_message_that_the_broker_refuses_harms_no_other(real: KafkaCluster) -> None:
    real.log.append("narrow", 0, "p", b"", {})
    lower_limit(real, "narrow", 500)
    until(lambda: refused_by_broker(real))
    real.log.append("wide", 0, "p", b"innocent", {})
    assert values(real.log, "wide") == [b"innocent"]


def lower_limit(real: KafkaCluster, topic: str, size: int) -> None:
    """Behind our backs, after we asked for it."""
    name = real.connection.wire_name(topic)
    resource = ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": str(size)})
    real.client.alter_configs([resource])


def refused_by_broker(real: KafkaCluster) -> bool:
    try:
        real.log.append("narrow", 0, "p", DENSE, {})
    except MessageTooLarge as error:
        return "max.message.bytes" in str(error)
    return False


# K5: failures that nobody tells


def test_stock_flushes_without_a_word_about_what_failed(real: KafkaCluster) -> None:
    name = real.connection.wire_name("narrow")
    with stock.producer(real.connection.bootstrap) as producer:
        producer.send(name, TOO_LARGE, partition=0)
        producer.flush()
    assert stock.visible(real.connection.bootstrap, name) == []


def test_one_failure_among_many_is_told(real: KafkaCluster) -> None:
    real.log.append("narrow", 0, "p", b"", {})
    lower_limit(real, "narrow", 500)
    until(lambda: refused_by_broker(real))
    many = [Addressed("wide", number % 2, "p", b"%d" % number, {}) for number in range(50)]
    with pytest.raises(MessageTooLarge):
        real.log.append_all([*many, Addressed("narrow", 0, "p", DENSE, {})])


# Many at once


def test_nothing_is_sent_when_one_of_many_is_too_large(real: KafkaCluster) -> None:
    with pytest.raises(MessageTooLarge):
        real.log.append_all([Addressed("wide", 0, "p", b"a", {}), Addressed("narrow", 0, "p", b"x" * 2_000, {})])
    assert values(real.log, "wide") == []


def test_a_closed_log_leaves_no_thread_behind(real: KafkaCluster) -> None:
    before = set(threads())
    with closing(KafkaLog(real.connection)) as log:
        log.append("wide", 0, "p", b"a", {})
        log.follow([("wide", 0)])
        log.read("wide", 0, 0, 1)
        log.read("wide", 0, 1, 1)
        log.producer("x")
    until(lambda: not set(threads()) - before)
