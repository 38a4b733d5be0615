"""`Catalogue`: what the cluster says about topics, and the checks that follow from it."""

from __future__ import annotations

from threading import Lock
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.protocol.consumer import IsolationLevel
from kafka.structs import TopicPartition

from shared.adapters.kafka import clients
from shared.adapters.kafka.connection import Connection
from shared.adapters.kafka.errors import as_log_errors
from shared.runtime.ports import Addressed, LogError, MessageTooLarge

HEADROOM = 64 << 10
"""Bytes for key, headers and framing. A declaration bounds the value; a topic takes this much more."""
COMMITTED, UNCOMMITTED = IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED


class Catalogue:
    """Partition counts and size limits are asked for once: changing a partition count would tear units apart.

    Any thread may ask.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.wire_name = connection.wire_name
        self._client: Any = None
        self._opening = Lock()
        self._partitions: dict[str, int] = {}
        self._limits: dict[str, int] = {}

    def partitions(self, topic: str) -> int:
        if topic not in self._partitions:
            self._partitions[topic] = self._count(topic)
        return self._partitions[topic]

    def check(self, topic: str, partition: int) -> TopicPartition:
        """The place on the wire. Raises where there is none."""
        count = self.partitions(topic)
        if not 0 <= partition < count:
            raise LogError(f"no partition {partition} of topic {topic!r}: it has {count}")
        return TopicPartition(self._connection.wire_name(topic), partition)

    def check_size(self, entry: Addressed) -> int:
        """Bytes of a message, uncompressed. Raises `MessageTooLarge` before a broker has to say it (K3)."""
        topic, value = entry.topic, len(entry.value)
        if topic not in self._limits:
            self.partitions(topic)
            self._limits[topic] = self._limit(topic)
        extra = 100 + len(entry.key) + sum(10 + len(name) + len(said) for name, said in entry.headers.items())
        if value + max(extra, HEADROOM) > self._limits[topic]:
            raise MessageTooLarge(
                f"message of {value} bytes, and {extra} of key and headers, for {topic!r}, which takes "
                f"{self._limits[topic] - HEADROOM} and {HEADROOM}: send less at once"
            )
        return value + extra

    def start_offset(self, topic: str, partition: int) -> int:
        return self._offset(topic, partition, OffsetSpec.EARLIEST, COMMITTED)

    def stable_offset(self, topic: str, partition: int) -> int:
        """The last stable offset: everything below is decided."""
        return self._offset(topic, partition, OffsetSpec.LATEST, COMMITTED)

    def high_watermark(self, topic: str, partition: int) -> int:
        return self._offset(topic, partition, OffsetSpec.LATEST, UNCOMMITTED)

    def close(self) -> None:
        if self._client is not None:
            clients.close_quietly(self._client)
            self._client = None

    def _admin(self) -> Any:
        with self._opening:
            if self._client is None:
                self._client = clients.admin(self._connection)
            return self._client

    def _count(self, topic: str) -> int:
        name = self._connection.wire_name(topic)
        with as_log_errors(f"look up topic {topic!r}"):
            [found] = self._admin().describe_topics([name])
        if found["error_code"]:
            raise LogError(f"no topic {topic!r} ({name} on the broker): declare the topic first")
        return len(found["partitions"])

    def _limit(self, topic: str) -> int:
        name = self._connection.wire_name(topic)
        resource = ConfigResource(ConfigResourceType.TOPIC, name)
        with as_log_errors(f"look up the limits of topic {topic!r}"):
            found = self._admin().describe_configs([resource], config_filter="all")
        limit = found["topic"][name].get("max.message.bytes")
        if limit is None:
            raise LogError(f"the settings of topic {topic!r} are not for us to see: allow DescribeConfigs on {name}")
        return int(limit["value"])

    def _offset(self, topic: str, partition: int, which: OffsetSpec, isolation: IsolationLevel) -> int:
        place = self.check(topic, partition)
        with as_log_errors(f"look up an offset of {topic}/{partition}"):
            return int(self._admin().list_partition_offsets({place: which}, isolation)[place].offset)
