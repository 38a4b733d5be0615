"""`Lag`: how far the reading is behind the log's end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from time import monotonic

from shared.operations.metrics import Metrics
from shared.runtime.ports import Log, LogError, Place

LOOK = 15.0
"""Seconds between two looks: each asks the broker once per place."""


class Lag:
    """``positions``: where each place is read on. `turn` is done in every turn of the loop; it never moves anything."""

    def __init__(self, positions: Callable[[], Mapping[Place, int]], log: Log, metrics: Metrics) -> None:
        self._positions = positions
        self._log = log
        self._gauge = metrics.lag_messages
        self._due = 0.0

    def turn(self) -> bool:
        if monotonic() >= self._due:
            self._due = monotonic() + LOOK
            self._look()
        return False

    def _look(self) -> None:
        lag: Counter[str] = Counter()
        try:
            for (topic, partition), position in self._positions().items():
                lag[topic] += max(0, self._log.end_offset(topic, partition) - position)
        except LogError:
            return  # the loop will notice by itself, where it matters
        self._gauge.clear()
        for topic, messages in lag.items():
            self._gauge.labels(topic).set(messages)
