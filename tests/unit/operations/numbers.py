"""Reading what was measured, and events as they come over the log."""

from __future__ import annotations

from shared.events.base import Event
from shared.events.envelope import to_append
from shared.operations.metrics import Metrics
from shared.runtime.core import Message


def number(metrics: Metrics, name: str, **labels: str) -> float:
    """0 where nothing was ever told."""
    return metrics.registry.get_sample_value(f"driftloop_{name}", labels) or 0.0


def heard(topic: str, event: Event, *, offset: int = 0, seconds: float = 0) -> Message:
    append = to_append(topic, event)
    return Message(topic, 0, offset, int(seconds * 1000), event.pipeline, append.value, append.headers)
