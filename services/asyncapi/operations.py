"""Who sends and who receives: from the cores' own words and `shared.events.traffic`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from services.deployment.core import Deployment
from services.drift_detection.core import DriftDetection
from services.ingestion.core import Ingestion
from services.prediction.core import Prediction
from services.training.core import Training
from services.validation.core import Validation
from shared.events.topics import BY_NAME, TOPICS, Topic
from shared.events.traffic import READ_BESIDES, SERVICES, sayings

CORES = (Ingestion, Validation, Prediction, DriftDetection, Training, Deployment)


def reads() -> Mapping[str, tuple[Topic, ...]]:
    """Service -> the topics that it receives, in the order in which its core drains them."""
    own = {core.name: tuple(BY_NAME[topic] for topic in core.reads) for core in CORES}
    return {service: (*own[service], *READ_BESIDES.get(service, ())) for service in SERVICES}


def writes() -> Mapping[str, Mapping[Topic, tuple[str, ...]]]:
    """Service -> the topics that it sends to -> the types of message that it sends there."""
    return {service: dict(_sent(service)) for service in SERVICES}


def _sent(service: str) -> Iterator[tuple[Topic, tuple[str, ...]]]:
    for topic in TOPICS:
        types = tuple(each.type for each in sayings() if each.topic == topic and service in each.writers)
        if types:
            yield topic, types


def operations() -> dict[str, Any]:
    """By a name that reads as a sentence."""
    return dict(_operations())


def _operations() -> Iterator[tuple[str, Any]]:
    for service in SERVICES:
        for topic in reads()[service]:
            yield f"{service}.reads.{topic.name}", _operation("receive", service, topic)
        for topic, types in writes()[service].items():
            sent = [{"$ref": f"#/channels/{topic.name}/messages/{kind}"} for kind in types]
            yield f"{service}.writes.{topic.name}", _operation("send", service, topic) | {"messages": sent}


def _operation(action: str, service: str, topic: Topic) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "tags": [{"name": service}],
    }
