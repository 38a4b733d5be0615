"""`Flow`: what every service tells of the messages that it reads and writes. Services add what theirs mean."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import time

from shared.events.data import REASON
from shared.events.letters import FAILED, without_values
from shared.events.topics import COMMANDS, LEDGER, RECORDS_DEAD
from shared.operations.logs import about
from shared.operations.metrics import OTHERS, Metrics
from shared.runtime.core import Append, Message, Unit

CONTROL = (LEDGER.name, COMMANDS.name)
"""What is said there is worth a line each."""

_log = logging.getLogger(__name__)


class Flow:
    """An `Observer`. A service's own numbers go into `read`, `wrote`, `changed` and `begin`.

    Nothing raises out of here: the unit of work that is told of is done, and an error would make the worker do it
    again. What can't be told costs the number of one message or state, so a service's own methods keep a value for
    later only once it was told. ``clock`` is in seconds since the epoch, as append times are in milliseconds.
    """

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time) -> None:
        self.metrics = metrics
        self._clock = clock
        self._failed: set[str] = set()
        self._pipelines: set[str] = set()

    def opened(self) -> None:
        self._pipelines.clear()
        with self._harmless():
            self.begin()

    def seen(self, message: Message) -> None:
        with self._harmless():
            self.metrics.messages_read.labels(message.topic).inc()
            age = self._clock() - message.timestamp / 1000
            self.metrics.event_age_seconds.labels(message.topic).observe(max(0.0, age))
            self.read(message)

    def said(self, append: Append) -> None:
        with self._harmless():
            self.metrics.messages_written.labels(append.topic).inc()
            if append.topic == RECORDS_DEAD.name:
                self._dead(append)
            elif append.topic in CONTROL:
                _log.info("said %s", append.headers["ce_type"], extra=about(append))
            self.wrote(append)

    def moved(self, unit: Unit, state: object) -> None:
        self._pipelines.add(unit.pipeline)
        with self._harmless():
            self.changed(unit, state)

    def begin(self) -> None:
        """Forgets the numbers of states: those that are held are told again."""

    def read(self, message: Message) -> None:
        """What a message that was read means."""

    def wrote(self, append: Append) -> None:
        """What a message that was written means."""

    def changed(self, unit: Unit, state: object) -> None:
        """What a state means."""

    def _dead(self, letter: Append) -> None:
        reason, name = letter.headers.get(REASON, ""), letter.unit.pipeline
        # Anybody may write a name into a key: one that no state is kept for gets no series of its own.
        pipeline = self.metrics.pipeline(name) if name in self._pipelines else OTHERS
        self.metrics.dead_letters.labels(pipeline, reason).inc()
        if reason == FAILED:
            self.metrics.set_aside.labels(letter.headers["__connect.errors.topic"]).inc()
            _log.error("set aside: %s", letter.headers["__connect.errors.exception.message"], extra=about(letter))

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - told, once per place: it may happen with every message
            told = without_values(error)
            if told not in self._failed:
                self._failed.add(told)
                _log.exception("a number could not be told: %s; said once, and others are told as before", told)
