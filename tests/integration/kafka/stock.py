"""kafka-python as it comes, for the negative controls: what our rules avoid has to happen without them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata, TopicPartition


@contextmanager
def producer(address: str, **settings: Any) -> Iterator[Any]:
    client = KafkaProducer(bootstrap_servers=address, **settings)
    try:
        yield client
    finally:
        client._sender.force_close()
        with suppress(KafkaError):
            client.close(timeout=1)


@contextmanager
def transactional(address: str, name: str, **settings: Any) -> Iterator[Any]:
    with producer(address, transactional_id=name, **settings) as client:
        client.init_transactions()
        yield client


@contextmanager
def consumer(address: str, *topics: str, **settings: Any) -> Iterator[Any]:
    client = KafkaConsumer(*topics, bootstrap_servers=address, enable_auto_commit=False, **settings)
    try:
        yield client
    finally:
        with suppress(KafkaError):
            client.close(timeout_ms=1_000)


def at(offset: int) -> OffsetAndMetadata:
    return OffsetAndMetadata(offset, "", -1)


def visible(address: str, topic: str, partition: int = 0) -> list[bytes]:
    """What a reader of committed records sees now."""
    place = TopicPartition(topic, partition)
    found: list[bytes] = []
    with consumer(address, isolation_level="read_committed", auto_offset_reset="earliest") as client:
        client.assign([place])
        end = client.end_offsets([place])[place]
        client.seek_to_beginning(place)
        while client.position(place) < end:
            found += [record.value for record in client.poll(50).get(place, ())]
    return found
