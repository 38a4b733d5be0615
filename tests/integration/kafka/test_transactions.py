"""Transactions on a live broker: what an error leaves behind, and who may not commit any more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka.errors import CommitFailedError, KafkaError
from kafka.structs import ConsumerGroupMetadata, TopicPartition

from shared.adapters.kafka import KafkaLog
from shared.adapters.memory import TopicSettings
from shared.runtime.ports import Fenced, LogError, Membership, MessageTooLarge
from tests.integration.kafka import stock
from tests.integration.kafka.cluster import KafkaCluster, cluster
from tests.waiting import until

TOPICS = {"in": TopicSettings(2), "out": TopicSettings(2), "narrow": TopicSettings(1, max_message_bytes=10)}


@pytest.fixture
def real(broker: str) -> Iterator[KafkaCluster]:
    with cluster(broker, TOPICS) as started:
        yield started


def joined(real: KafkaCluster, member: str = "one") -> Membership:
    return real.groups.join("readers", member, ("in",))


def older(membership: Membership) -> Membership:
    """What a zombie believes."""
    return Membership(membership.group, membership.member, membership.generation - 1, membership.partitions)


# K2: offsets of a transaction that failed


def test_stock_commits_the_offsets_of_a_transaction_that_was_refused(real: KafkaCluster) -> None:
    wire, membership = real.connection.wire_name("in"), joined(real)
    group = real.connection.own_name("readers")
    real.groups.commit(membership, {("in", 0): 9})
    with stock.transactional(real.connection.bootstrap, wire) as producer:
        producer.begin_transaction()
        with pytest.raises(CommitFailedError):
            producer.send_offsets_to_transaction(
                {TopicPartition(wire, 0): stock.at(5)}, ConsumerGroupMetadata(group, 77, membership.member)
            )
        producer.abort_transaction()
        producer.begin_transaction()
        producer.send_offsets_to_transaction(
            {TopicPartition(wire, 1): stock.at(7)},
            ConsumerGroupMetadata(group, membership.generation, membership.member),
        )
        producer.commit_transaction()
    assert real.groups.committed("readers", "in", 0) == 5


def test_offsets_of_a_refused_transaction_are_forgotten(real: KafkaCluster) -> None:
    membership = joined(real)
    real.groups.commit(membership, {("in", 0): 9})
    producer = real.log.producer("x")
    producer.begin()
    with pytest.raises(Fenced):
        producer.cover(older(membership), {("in", 0): 5})
    with pytest.raises(Fenced):
        producer.abort()
    following = real.log.producer("x")
    following.begin()
    following.cover(membership, {("in", 1): 7})
    following.commit()
    assert real.groups.committed("readers", "in", 0) == 9
    assert real.groups.committed("readers", "in", 1) == 7


# K9: a transaction that was given up


def test_stock_can_neither_commit_nor_abort_after_an_epoch_bump(real: KafkaCluster) -> None:
    wire = real.connection.wire_name("out")
    with stock.transactional(real.connection.bootstrap, wire, transaction_timeout_ms=4_000) as producer:
        producer.begin_transaction()
        producer.send(wire, b"a", partition=0).get(60)
        until(lambda: real.log.settled("out", 0))
        with pytest.raises(KafkaError):
            producer.send(wire, b"b", partition=0).get(60)
        until(producer._transaction_manager._test_is_ready)
        for end in (producer.commit_transaction, producer.abort_transaction):
            with pytest.raises(KafkaError, match="Invalid transition"):
                end()


def test_after_a_transaction_was_given_up_a_new_producer_goes_on(real: KafkaCluster) -> None:
    with closing(KafkaLog(real.connection, transaction=4_000)) as log:
        producer = log.producer("x")
        producer.begin()
        producer.append("out", 0, "p", b"given up", {})
        producer.settle()
        until(lambda: log.settled("out", 0))
        producer.append("out", 0, "p", b"late", {})
        with pytest.raises(LogError):
            producer.commit()
        following = log.producer("x")
        following.begin()
        following.append("out", 0, "p", b"new", {})
        following.commit()
        until(lambda: [message.value for message in log.read("out", 0, 0, 10)] == [b"new"])


# Who may not commit


def test_the_broker_fences_a_producer_whose_name_another_process_took(real: KafkaCluster) -> None:
    with closing(KafkaLog(real.connection)) as zombie:
        old = zombie.producer("x")
        old.begin()
        old.append("out", 0, "p", b"old", {})
        old.settle()
        new = real.log.producer("x")
        with pytest.raises(Fenced):
            old.commit()
        new.begin()
        new.append("out", 0, "p", b"new", {})
        new.commit()
        assert [message.value for message in real.log.read("out", 0, 0, 10)] == [b"new"]


def test_a_zombie_cannot_commit_a_state_without_an_offset_either(real: KafkaCluster) -> None:
    """A tick moves a state and no offset; the broker checks a generation only along with an offset."""
    membership = joined(real)
    producer = real.log.producer("x")
    producer.begin()
    producer.append("out", 0, "p", b"state", {})
    with pytest.raises(Fenced):
        producer.cover(older(membership), {})
    current = real.log.producer("x")
    current.begin()
    current.append("out", 0, "p", b"state", {})
    current.cover(membership, {})
    current.commit()
    assert [message.value for message in real.log.read("out", 0, 0, 10)] == [b"state"]


def test_an_empty_transaction_may_be_committed(real: KafkaCluster) -> None:
    producer = real.log.producer("x")
    producer.begin()
    producer.cover(joined(real), {})
    producer.commit()
    producer.begin()
    producer.abort()


def test_a_message_too_large_for_its_topic_is_refused_before_it_is_sent(real: KafkaCluster) -> None:
    producer = real.log.producer("x")
    producer.begin()
    with pytest.raises(MessageTooLarge, match="takes 10 and"):
        producer.append("narrow", 0, "p", b"12345678901", {})
