"""A core that does what its messages tell it to, and what a test needs around it: topics, writers, readers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.structs import OffsetAndMetadata, TopicPartition

from shared.adapters.kafka.connection import Connection
from shared.events.topics import RECORDS_DEAD
from shared.runtime.advance import Held
from shared.runtime.codec import decode
from shared.runtime.core import Append, Input, Message, Read, Step, Unit
from shared.runtime.hosts import snapshots_of
from shared.runtime.partitions import partition_of
from shared.runtime.ports import BlobMissing

PARTITIONS = 3
LEFT, RIGHT, OUT = "left", "right", "out"


@dataclass(frozen=True, slots=True)
class Tally:
    """``sums`` by topic: what each says depends on its own order alone, not on how the two interleave."""

    count: int = 0
    sums: Mapping[str, int] | None = None


class Toy:
    """Values are instructions: ``add N``, ``open DIGEST``, ``cancel DIGEST``, ``write BYTES``, ``hang``."""

    name = "toy"
    reads = (LEFT, RIGHT)
    state_type: Any = Tally
    per_lane = False

    def initial(self, unit: Unit) -> Tally:
        return Tally()

    def handle(self, state: Tally, item: Input, read: Read) -> Step[Tally]:
        assert isinstance(item, Message)
        word, _, rest = item.value.decode().partition(" ")
        said = b""
        if word == "open":
            said = read(rest, bytes)
        elif word == "cancel":
            said = b"late"
            _cancel_without(read, rest)
        elif word == "write":
            said = b"x" * int(rest)
        elif word == "hang":
            time.sleep(3600)
        elif word != "add":
            raise ValueError(f"no such instruction: {item.value!r}")
        return _added(state, item, int(rest) if word == "add" else 0, said)


def _cancel_without(read: Read, digest: str) -> None:
    """Without the blob, whoever is running this is cancelled where it next waits: in the middle of its batch."""
    try:
        read(digest, bytes)
    except BlobMissing:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()


def _added(state: Tally, item: Message, number: int, said: bytes) -> Step[Tally]:
    sums = {**(state.sums or {})}
    sums[item.topic] = sums.get(item.topic, 0) + number
    headers = {"ce_id": f"{item.topic}/{item.partition}/{item.offset}"}
    value = said or str(sums[item.topic]).encode()
    return Step(Tally(state.count + 1, sums), (Append(OUT, Unit(item.key), value, headers),))


@dataclass
class World:
    """A Driftloop of its own on the broker: a prefix, its topics, and clients to write and read them."""

    connection: Connection

    def __post_init__(self) -> None:
        self._writer = KafkaProducer(bootstrap_servers=self.connection.bootstrap)

    def create(self, topics: Mapping[str, Mapping[str, str]]) -> None:
        wanted = {
            self.connection.wire_name(name): {
                "num_partitions": PARTITIONS,
                "replication_factor": 1,
                "configs": {"message.timestamp.type": "LogAppendTime", **configs},
            }
            for name, configs in topics.items()
        }
        with self._admin() as admin:
            admin.create_topics(wanted)

    def write(self, topic: str, key: str, *values: bytes | None, partition: int | None = None) -> None:
        """A lone surrogate in the key becomes the byte that it stands for, which is no text."""
        for value in values:
            self._writer.send(
                self.connection.wire_name(topic),
                key=key.encode(errors="surrogateescape"),
                value=value,
                partition=home(key) if partition is None else partition,
            )
        self._writer.flush()

    def write_all(self, topic: str, messages: Iterable[Message]) -> None:
        for message in messages:
            self._writer.send(
                self.connection.wire_name(topic),
                key=message.key.encode(),
                value=message.value,
                headers=[(name, value.encode()) for name, value in message.headers.items()],
                partition=home(message.key),
            )
        self._writer.flush()

    @contextmanager
    def transactions(self) -> Iterator[Transactions]:
        producer = KafkaProducer(bootstrap_servers=self.connection.bootstrap, transactional_id=uuid4().hex)
        producer.init_transactions()
        yield Transactions(self.connection, producer)
        producer.close()

    def read(self, topic: str, *, committed: bool = True) -> list[Any]:
        """Everything that is there now."""
        isolation = "read_committed" if committed else "read_uncommitted"
        reader = KafkaConsumer(
            bootstrap_servers=self.connection.bootstrap, enable_auto_commit=False, isolation_level=isolation
        )
        places = [TopicPartition(self.connection.wire_name(topic), number) for number in range(PARTITIONS)]
        reader.assign(places)
        reader.seek_to_beginning(*places)
        ends = reader.end_offsets(places)
        found: list[Any] = []
        while any(reader.position(place) < ends[place] for place in places):
            for records in reader.poll(timeout_ms=100).values():
                found += records
        reader.close()
        return found

    def outputs(self) -> dict[str, bytes]:
        """By id; a repeated one has to say the same."""
        said: dict[str, bytes] = {}
        for record in self.read(OUT):
            identity = dict(record.headers)["ce_id"].decode()
            assert said.setdefault(identity, record.value) == record.value
        return said

    def states(self) -> dict[str, Held[Tally]]:
        kind = cast(Any, Held)[Tally]
        latest = {record.key.decode(): record.value for record in self.read(snapshots_of(Toy()))}
        return {key: decode(kind, value) for key, value in latest.items() if not key.startswith("@")}

    def committed(self, group: str, topic: str, partition: int) -> int | None:
        """Where the group stands, for tools that show lag."""
        name = self.connection.own_name(group)
        with self._admin() as admin:
            found = admin.list_group_offsets(name)[name]
        place = found.get(TopicPartition(self.connection.wire_name(topic), partition))
        return None if place is None else int(place.offset)

    def move_group(self, group: str, topic: str, partition: int, offset: int) -> None:
        place = TopicPartition(self.connection.wire_name(topic), partition)
        with self._admin() as admin:
            admin.alter_group_offsets(self.connection.own_name(group), {place: OffsetAndMetadata(offset, "", -1)})

    def configure(self, topic: str, **configs: str) -> None:
        settings = {name.replace("_", "."): value for name, value in configs.items()}
        with self._admin() as admin:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, self.connection.wire_name(topic), settings)])

    def idempotent_writers(self, topic: str) -> int:
        """How many the broker keeps sequence numbers of."""
        places = [TopicPartition(self.connection.wire_name(topic), number) for number in range(PARTITIONS)]
        with self._admin() as admin:
            return sum(len(state.active_producers) for state in admin.describe_producers(places).values())

    def close(self) -> None:
        self._writer.close()

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = KafkaAdminClient(bootstrap_servers=self.connection.bootstrap)
        try:
            yield admin
        finally:
            admin.close()


@dataclass
class Transactions:
    """Writes a topic in transactions, each of which leaves a marker: an offset without a message."""

    connection: Connection
    producer: Any

    def write(self, messages: Iterable[tuple[str, str, bytes]], *, abort: bool = False) -> None:
        """(topic, key, value)"""
        self.producer.begin_transaction()
        sent = [
            self.producer.send(self.connection.wire_name(topic), key=key.encode(), value=value, partition=home(key))
            for topic, key, value in messages
        ]
        for future in sent:
            future.get(60)
        if abort:
            self.producer.abort_transaction()
        else:
            self.producer.commit_transaction()


def home(key: str) -> int:
    return partition_of(key, None, PARTITIONS)


def world(bootstrap: str) -> World:
    """With the topics of the toy."""
    made = World(Connection(bootstrap, f"test-{uuid4().hex[:8]}"))
    made.create(
        {
            LEFT: {},
            RIGHT: {},
            OUT: {"max.message.bytes": "50000"},
            RECORDS_DEAD.name: {},
            snapshots_of(Toy()): {"cleanup.policy": "compact"},
        }
    )
    return made
