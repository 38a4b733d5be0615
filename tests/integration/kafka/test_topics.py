"""Topics as declared, and what tells when the broker's are not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from services.embedded.simulation.toy import Relay
from shared.adapters.kafka import Connection, KafkaLog, Layout
from shared.adapters.kafka.clients import admin, close_quietly
from shared.adapters.kafka.topics import WITH_STATES, create, snapshot_topic, verify
from shared.events.topics import LEDGER, RECORDS_INGESTED, SERVING, TOPICS, Topic
from shared.runtime.hosts import snapshots_of
from shared.runtime.ports import LogError, MessageTooLarge
from tests.integration.kafka.cluster import connection_to
from tests.waiting import until

ALL = (*TOPICS, *map(snapshot_topic, WITH_STATES))
LAYOUT = Layout(partitions=2)


@pytest.fixture
def connection(broker: str) -> Connection:
    return connection_to(broker)


@pytest.fixture
def log(connection: Connection) -> Iterator[KafkaLog]:
    log = KafkaLog(connection)
    yield log
    log.close()


def alter(connection: Connection, topic: Topic, **settings: str) -> None:
    """What an operator did by hand."""
    client = admin(connection)
    configs = {name.replace("_", "."): value for name, value in settings.items()}
    client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, connection.wire_name(topic.name), configs)])
    close_quietly(client)


def test_topics_are_made_once_and_are_as_declared(connection: Connection) -> None:
    assert set(create(connection, ALL, LAYOUT)) == {topic.name for topic in ALL}
    assert create(connection, ALL, LAYOUT) == ()
    assert verify(connection, ALL, LAYOUT) == []


def test_what_is_missing_is_told(connection: Connection) -> None:
    create(connection, [LEDGER], LAYOUT)
    assert verify(connection, [LEDGER, SERVING], LAYOUT) == [
        f"{connection.prefix}.serving.v1 is missing: create the topics"
    ]


def test_every_difference_is_told_in_words(connection: Connection) -> None:
    create(connection, [LEDGER, SERVING], LAYOUT)
    alter(connection, LEDGER, retention_ms="60000", max_message_bytes="1000", message_timestamp_type="CreateTime")
    alter(connection, SERVING, cleanup_policy="delete")
    ledger, serving = (connection.wire_name(topic.name) for topic in (LEDGER, SERVING))
    expected = {
        f"{ledger}: retention.ms is 60000, declared is -1",
        f"{ledger}: max.message.bytes is 1000, declared is 1114112",
        f"{ledger}: message.timestamp.type is CreateTime, declared is LogAppendTime",
        f"{ledger}: min.insync.replicas is 1, declared is 2",
        f"{ledger}: partitions is 2, declared is 3",
        f"{serving}: cleanup.policy is delete, declared is compact",
    }
    wanted = Layout(partitions=3, in_sync=2)
    # What was altered takes effect a little later.
    until(lambda: expected <= set(verify(connection, [LEDGER, SERVING], wanted)), f"all is told of {expected}")


def test_a_cluster_that_is_too_small_says_so(connection: Connection) -> None:
    with pytest.raises(LogError, match="InvalidReplicationFactor"):
        create(connection, [LEDGER], Layout(partitions=1, replication=3))


def test_a_message_of_the_declared_size_passes_and_none_larger(connection: Connection, log: KafkaLog) -> None:
    create(connection, [RECORDS_INGESTED], LAYOUT)
    largest = bytes(RECORDS_INGESTED.max_message_bytes)
    log.append(RECORDS_INGESTED.name, 0, "p", largest, {"name": "x" * 50_000})
    assert log.read(RECORDS_INGESTED.name, 0, 0, 1)[0].value == largest
    with pytest.raises(MessageTooLarge):
        log.append(RECORDS_INGESTED.name, 0, "p", largest + b"x", {})


def test_the_largest_state_comes_through(connection: Connection, log: KafkaLog) -> None:
    states = snapshot_topic("validation")
    create(connection, [states], LAYOUT)
    state = bytes(states.max_message_bytes)
    producer = log.producer("x")
    producer.begin()
    producer.append(states.name, 0, "p/0", state, {})
    producer.append(states.name, 0, "p/1", state, {})
    producer.commit()
    log.producer("x")
    found = [message for offset in (0, 1) for message in log.read(states.name, 0, offset, 1)]
    assert [(message.key, len(message.value)) for message in found] == [("p/0", len(state)), ("p/1", len(state))]


def test_states_are_kept_where_hosts_look_for_them() -> None:
    assert snapshot_topic(Relay.name).name == snapshots_of(Relay())
