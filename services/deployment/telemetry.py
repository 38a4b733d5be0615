"""What deployment's ledger means as numbers: who serves, promotions, rollbacks, and how long a drift's answer took."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from services.deployment.state import DeploymentState
from shared.events.base import Event
from shared.events.deployment import CandidatePromoted, PromotionRolledBack
from shared.events.drift_detection import DriftDetected
from shared.events.envelope import from_message
from shared.events.topics import LEDGER
from shared.operations.metrics import Metrics
from shared.operations.observing import Flow
from shared.runtime.core import Message, Unit

Value = TypeVar("Value")

REMEMBERED = 1024
"""Drifts whose answer is waited for, and promotions that have been counted."""


class DeploymentTelemetry(Flow):
    """Everything is counted when it comes back over the ledger, under its id, so that a repeat counts once.

    An answer is timed by the ledger's append times, where this process saw the drift too. A drift whose answer serves
    and is being verified is no open one.
    """

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self._detected: OrderedDict[str, int] = OrderedDict()
        self._counted: OrderedDict[str, None] = OrderedDict()

    def begin(self) -> None:
        self.metrics.episodes_open.clear()
        self.metrics.served.clear()

    def read(self, message: Message) -> None:
        event = from_message(message) if message.topic == LEDGER.name else None
        if event is not None and event.event_id not in self._counted:
            _remember(self._counted, event.event_id, None)
            self._count(event, message.timestamp)

    def changed(self, unit: Unit, state: object) -> None:
        if isinstance(state, DeploymentState):
            pipeline = self.metrics.pipeline(unit.pipeline)
            watched = state.watch.cause if state.watch else None
            self.metrics.episodes_open.labels(pipeline).set(sum(episode.id != watched for episode in state.episodes))
            # An increase is seen only from a number that was there before it.
            self.metrics.rollbacks.labels(pipeline)
            self.metrics.served.labels(pipeline).info({"version": state.champion.id if state.champion else ""})

    def _count(self, event: Event, timestamp: int) -> None:
        pipeline = self.metrics.pipeline(event.pipeline)
        if isinstance(event, DriftDetected):
            self.metrics.drifts.labels(pipeline, event.origin).inc()
            _remember(self._detected, event.episode, timestamp)
        elif isinstance(event, CandidatePromoted):
            self.metrics.promotions.labels(pipeline, event.rule).inc()
            detected = self._detected.pop(event.cause, None)
            if detected is not None:
                self.metrics.promotion_seconds.observe((timestamp - detected) / 1000)
        elif isinstance(event, PromotionRolledBack):
            self.metrics.rollbacks.labels(pipeline).inc()


def _remember(kept: OrderedDict[str, Value], name: str, value: Value) -> None:
    kept[name] = value
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
