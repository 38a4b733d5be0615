"""`Outbox`: rows that wait for others, and deliveries that wait for a door, in order."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import uuid4

from services.cli.client.answers import Refused, Report, Sent, Unsendable
from services.cli.client.bodies import Row, body_of, size_of
from services.cli.client.policies import Batching

LOGGER = logging.getLogger(__name__)
Place = tuple[str, str]
"""(pipeline, action)"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Bytes under a key: however often they are sent, they count once. ``rows`` is what they were made of."""

    place: Place
    content: bytes
    content_type: str
    rows: Any
    key: str = field(default_factory=lambda: str(uuid4()))


@dataclass(slots=True)
class _Waiting:
    """``since``: when the first of the rows came, by the monotonic clock."""

    since: float
    rows: list[Row] = field(default_factory=list)
    size: int = 0


class Outbox:
    """Not thread-safe: its client holds a lock. ``post`` raises where a delivery was not taken, which then stays."""

    def __init__(self, batching: Batching, post: Callable[[Delivery], Report]) -> None:
        self._batching = batching
        self._post = post
        self._waiting: dict[Place, _Waiting] = {}
        self._deliveries: deque[Delivery] = deque()
        self._sent = Sent()

    def add(self, place: Place, row: Row) -> None:
        """Sends when there is enough. What is not taken then stays, so the row itself is never lost."""
        waiting = self._waiting.setdefault(place, _Waiting(monotonic()))
        waiting.rows.append(row)
        waiting.size += size_of(row)
        if len(waiting.rows) >= self._batching.rows or waiting.size >= self._batching.bytes:
            self._close(place)
            self.carry()

    def put(self, delivery: Delivery) -> None:
        """Behind the rows that came for the same place before."""
        self._close(delivery.place)
        self._deliveries.append(delivery)
        self.carry()

    def flush(self) -> Sent:
        """Everything, whatever its size; what became of it since the last time."""
        for place in list(self._waiting):
            self._close(place)
        self.carry()
        sent, self._sent = self._sent, Sent()
        return sent

    def flush_old(self) -> None:
        """What has waited long enough for others."""
        ripe = monotonic() - self._batching.seconds
        for place in [place for place, waiting in self._waiting.items() if waiting.since <= ripe]:
            self._close(place)
        self.carry()

    def next_due(self) -> float | None:
        """Seconds until something has waited long enough; None where nothing waits."""
        oldest = min((waiting.since for waiting in self._waiting.values()), default=None)
        return None if oldest is None else max(0.0, oldest + self._batching.seconds - monotonic())

    def carry(self) -> None:
        while self._deliveries:
            delivery = self._deliveries[0]
            try:
                report = self._post(delivery)
            except Refused as refused:
                # It would be refused again, and what comes behind it may be good.
                self._deliveries.popleft()
                refused.rows = delivery.rows
                raise
            self._deliveries.popleft()
            self._note(delivery, report)

    def _close(self, place: Place) -> None:
        """Rows become a delivery. One that can't be written does not take the others with it."""
        waiting = self._waiting.pop(place, None)
        if waiting is None:
            return
        try:
            self._deliveries.append(_delivery(place, waiting.rows))
        except ValueError as error:
            sound = [row for row in waiting.rows if _can_be_written(row)]
            if sound:
                self._deliveries.append(_delivery(place, sound))
            bad = [row for row in waiting.rows if not _can_be_written(row)]
            raise Unsendable(bad, str(error)) from None

    def _note(self, delivery: Delivery, report: Report) -> None:
        self._sent.add(report)
        if report.dead:
            first = report.problems[0]["message"] if report.problems else ""
            LOGGER.warning(
                "%s: %d of %d rows were set aside: %s", delivery.place[0], report.dead, report.received, first
            )


def _delivery(place: Place, rows: Sequence[Row]) -> Delivery:
    return Delivery(place, *body_of(rows), rows)


def _can_be_written(row: Row) -> bool:
    try:
        body_of([row])
    except ValueError:
        return False
    return True
