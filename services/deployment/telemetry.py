"""What deployment's ledger means as numbers: promotions, rollbacks, and the time from a drift to its answer."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from shared.events.base import Event
from shared.events.deployment import CandidatePromoted, PromotionRolledBack
from shared.events.drift_detection import DriftDetected
from shared.events.envelope import from_message
from shared.events.topics import LEDGER
from shared.operations.metrics import Metrics
from shared.operations.observing import Flow
from shared.runtime.core import Message

Value = TypeVar("Value")

REMEMBERED = 1024
"""Drifts whose answer is waited for, and promotions that have been counted."""


class DeploymentTelemetry(Flow):
    """Everything is counted when it comes back over the ledger, under its id, so that a repeat counts once."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self._detected: OrderedDict[str, int] = OrderedDict()
        self._counted: OrderedDict[str, None] = OrderedDict()

    def seen(self, message: Message) -> None:
        super().seen(message)
        event = from_message(message) if message.topic == LEDGER.name else None
        if event is not None and event.event_id not in self._counted:
            _remember(self._counted, event.event_id, None)
            self._count(event, message.timestamp)

    def _count(self, event: Event, timestamp: int) -> None:
        pipeline = self.metrics.pipeline(event.pipeline)
        if isinstance(event, DriftDetected):
            _remember(self._detected, event.episode, timestamp)
        elif isinstance(event, CandidatePromoted):
            self.metrics.promotions.labels(pipeline, event.rule).inc()
            self.metrics.served.labels(pipeline).info({"version": event.version})
            detected = self._detected.pop(event.cause, None)
            if detected is not None:
                self.metrics.promotion_seconds.observe((timestamp - detected) / 1000)
        elif isinstance(event, PromotionRolledBack):
            self.metrics.rollbacks.labels(pipeline).inc()
            self.metrics.served.labels(pipeline).info({"version": event.to})


def _remember(kept: OrderedDict[str, Value], name: str, value: Value) -> None:
    kept[name] = value
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
