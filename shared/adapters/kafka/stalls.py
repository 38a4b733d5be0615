"""`StallDetector`: a place where something is there and nothing arrives."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from shared.runtime.ports import Place

LOOKS = 4
"""Looks within the time after which a lag is a stall."""


class StallDetector:
    """kafka-python has stopped fetching without an error before (dpkp/kafka-python #3106, #3131, #3138).

    ``lagging`` tells the places that lag, and the offset that each waits for.
    """

    def __init__(self, lagging: Callable[[], dict[Place, int]]) -> None:
        self._lagging = lagging
        self._since: dict[tuple[Place, int], float] = {}
        self._looked = 0.0

    def stalled(self, seconds: float) -> Place | None:
        """A place that has waited for the same offset that long, told once. Cheap: it asks the broker four times in
        that time."""
        now = monotonic()
        if now - self._looked > seconds / LOOKS:
            self._looked = now
            lagging = self._lagging().items()
            self._since = {waiting: self._since.get(waiting, now) for waiting in lagging}
        found = next((place for (place, _), since in self._since.items() if now - since > seconds), None)
        if found is not None:
            self._since = {}
        return found
