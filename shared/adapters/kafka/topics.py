"""Topics on the broker: made once from their declarations, and compared with them ever after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import NoError, TopicAlreadyExistsError, for_code

from shared.adapters.kafka import clients
from shared.adapters.kafka.catalogue import HEADROOM
from shared.adapters.kafka.connection import Connection
from shared.adapters.kafka.errors import as_log_errors
from shared.events.topics import FOR_EVER, Topic
from shared.runtime.hosts import LARGEST_STATE
from shared.runtime.ports import LogError

WITH_STATES = ("validation", "prediction", "drift_detection", "training", "deployment")
"""Cores that keep their states in the log."""
SEGMENT = 64 << 20
"""Bytes after which a compacted topic's segment is closed. Only closed ones are cleaned, and a restart reads it all."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How topics lie on the cluster: the same for all, since a core's topics must have equal partition counts.

    ``partitions`` can never be changed: it decides where a unit's messages are. ``in_sync``: replicas that must have
    an append before it is acknowledged.
    """

    partitions: int = 8
    replication: int = 1
    in_sync: int = 1


def snapshot_topic(core: str) -> Topic:
    """The declaration of what `shared.runtime.hosts.snapshots_of` names."""
    return Topic(
        f"snapshots.{core}", f"states of {core}", True, FOR_EVER, compacted=True, max_message_bytes=LARGEST_STATE
    )


def settings_of(topic: Topic, layout: Layout) -> dict[str, str]:
    """The topic's settings in the broker's words, none left to its defaults that matters to us."""
    settings = {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "retention.ms": str(topic.retention),
        "retention.bytes": "-1",
        "max.message.bytes": str(topic.max_message_bytes + HEADROOM),
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(layout.in_sync),
        "unclean.leader.election.enable": "false",
    }
    if topic.compacted:
        settings |= {"segment.bytes": str(SEGMENT), "min.cleanable.dirty.ratio": "0.2"}
        settings["min.compaction.lag.ms"] = str(topic.compaction_lag)
    return settings


def create(connection: Connection, topics: Iterable[Topic], layout: Layout) -> tuple[str, ...]:
    """Makes the topics that are missing and returns their names; what exists stays as it is (see `verify`)."""
    names = {connection.wire_name(topic.name): topic for topic in topics}
    wanted = {
        name: {
            "num_partitions": layout.partitions,
            "replication_factor": layout.replication,
            "configs": settings_of(topic, layout),
        }
        for name, topic in names.items()
    }
    client = clients.admin(connection)
    try:
        with as_log_errors("create topics"):
            answers = client.create_topics(wanted, raise_errors=False)["topics"]
            made = tuple(names[answer["name"]].name for answer in answers if _was_made(answer))
            client.wait_for_topics(list(wanted))
            return made
    finally:
        clients.close_quietly(client)


def verify(connection: Connection, topics: Iterable[Topic], layout: Layout) -> list[str]:
    """How the broker's topics differ from their declarations, in words; nothing means all is well."""
    names = {connection.wire_name(topic.name): topic for topic in topics}
    client = clients.admin(connection)
    try:
        with as_log_errors("look up topics"):
            described = {found["name"]: found for found in client.describe_topics(list(names))}
            there = [name for name in names if not described[name]["error_code"]]
            resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in there]
            configs = client.describe_configs(resources, config_filter="all")["topic"] if there else {}
    finally:
        clients.close_quietly(client)
    missing = [f"{name} is missing: create the topics" for name in names if name not in there]
    found = {name: _facts(described[name], configs[name]) for name in there}
    return missing + [line for name in there for line in _differences(name, names[name], layout, found[name])]


def _was_made(answer: Mapping[str, Any]) -> bool:
    error = for_code(answer["error_code"])
    if error not in {NoError, TopicAlreadyExistsError}:
        raise LogError(f"create topic {answer['name']}: {error.__name__}: {answer['error_message']}")
    return error is NoError


def _facts(described: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The settings as found, with the two numbers that aren't called settings."""
    partitions = described["partitions"]
    replicas = {len(partition["replica_nodes"]) for partition in partitions}
    facts = {name: str(config["value"]) for name, config in configs.items()}
    return facts | {"partitions": str(len(partitions)), "replication": "/".join(map(str, sorted(replicas)))}


def _differences(name: str, topic: Topic, layout: Layout, found: Mapping[str, str]) -> list[str]:
    wanted = settings_of(topic, layout)
    wanted |= {"partitions": str(layout.partitions), "replication": str(layout.replication)}
    return [
        f"{name}: {setting} is {found.get(setting, 'unknown')}, declared is {value}"
        for setting, value in wanted.items()
        if found.get(setting) != value
    ]
