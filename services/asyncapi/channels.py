"""Every topic as an AsyncAPI channel, as `driftloop topics create` makes it."""

from __future__ import annotations

from typing import Any

from services.asyncapi.headers import reference
from shared.events.topics import TOPICS, Topic
from shared.events.traffic import INLETS, OUTLETS, sayings
from shared.operations.settings import KafkaSettings

BINDING = "0.5.0"
"""Version of the Kafka bindings."""
MEBI = 1 << 20


def default(setting: str) -> Any:
    return KafkaSettings.model_fields[setting].default


def channels() -> dict[str, Any]:
    """By the topic's short name."""
    return {topic.name: _channel(topic) for topic in TOPICS}


def _channel(topic: Topic) -> dict[str, Any]:
    types = [saying.type for saying in sayings() if saying.topic == topic]
    return {
        "address": f"{{prefix}}.{topic.name}.v1",
        "title": topic.name,
        "summary": topic.says,
        "description": _description(topic),
        "parameters": {"prefix": reference("parameters", "prefix")},
        "messages": {kind: reference("messages", kind) for kind in types},
        "bindings": {"kafka": _binding(topic)},
    }


def _description(topic: Topic) -> str:
    order = "One order per lane of a pipeline." if topic.per_lane else "One order per pipeline."
    if topic in INLETS:
        order = "Any partitioner will do, order is by partition."
    inlet = f" Written by {INLETS[topic]}." if topic in INLETS else ""
    outlet = f" For {OUTLETS[topic]}; no service reads it." if topic in OUTLETS else ""
    return f"{order}{inlet}{outlet} A value has at most {topic.max_message_bytes / MEBI:g} MiB."


def _binding(topic: Topic) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "cleanup.policy": ["compact" if topic.compacted else "delete"],
        "retention.ms": topic.retention,
        "retention.bytes": -1,
    }
    if topic.compaction_lag:
        configuration["min.compaction.lag.ms"] = topic.compaction_lag
    return {
        "partitions": default("partitions"),
        "replicas": default("replication_factor"),
        "topicConfiguration": configuration,
        "bindingVersion": BINDING,
    }
