"""`Flow`: what every service tells of the messages that it reads and writes. Services add what theirs mean."""

from __future__ import annotations

from collections.abc import Callable
from time import time

from shared.events.data import REASON
from shared.events.letters import FAILED
from shared.events.topics import RECORDS_DEAD
from shared.operations.metrics import Metrics
from shared.runtime.core import Append, Message, Unit


class Flow:
    """An `Observer`. ``clock`` is in seconds since the epoch, as append times are in milliseconds."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time) -> None:
        self.metrics = metrics
        self._clock = clock

    def seen(self, message: Message) -> None:
        self.metrics.messages_read.labels(message.topic).inc()
        age = self._clock() - message.timestamp / 1000
        self.metrics.event_age_seconds.labels(message.topic).observe(max(0.0, age))

    def said(self, append: Append) -> None:
        self.metrics.messages_written.labels(append.topic).inc()
        if append.topic == RECORDS_DEAD.name:
            self._dead(append)

    def moved(self, unit: Unit, state: object) -> None:
        """States say nothing to a service that doesn't add what they mean."""

    def _dead(self, letter: Append) -> None:
        reason = letter.headers.get(REASON, "")
        self.metrics.dead_letters.labels(self.metrics.pipeline(letter.unit.pipeline), reason).inc()
        if reason == FAILED:
            self.metrics.set_aside.labels(letter.headers.get("__connect.errors.topic", "")).inc()
