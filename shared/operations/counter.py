"""`CounterPart`: a core that people and programs ask: requests from a desk first, then what the log brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shared.operations.desk import Desk
from shared.operations.loop import Attention, Followed
from shared.operations.subscription import Subscription
from shared.runtime.core import Answer, Request, Unit
from shared.runtime.ports import LogError
from shared.runtime.worker import Worker

GLANCE = 0.02
"""Seconds of waiting for requests between two looks at the log."""


class CounterPart:
    """``unknown_outcome`` answers a request whose appends may or may not have got through."""

    def __init__(
        self,
        worker: Worker,
        log: Followed,
        desk: Desk,
        subscriptions: Sequence[Subscription],
        *,
        unknown_outcome: Callable[[Request], Answer],
        lag: Callable[[], bool],
        close: Callable[[], None],
    ) -> None:
        self._worker = worker
        self._attention = Attention(log)
        self._desk = desk
        self._subscriptions = tuple(subscriptions)
        self._unknown_outcome = unknown_outcome
        self._lag = lag
        self._close = close

    def open(self) -> None:
        """Requests wait until everything that is served is known: nobody hears "no such pipeline" by mistake."""
        self._worker.open()
        while self._worker.step():
            pass
        for subscription in self._subscriptions:
            subscription.open()

    def turn(self) -> bool:
        asked = self._desk.take()
        if asked:
            self._answer(asked)
        moved = self._worker.sweep()
        moved = sum([each.turn() for each in self._subscriptions], moved) > 0
        self._attention.turn_to(
            *self._worker.places(), *(place for each in self._subscriptions for place in each.positions())
        )
        self._lag()
        return moved or bool(asked)

    def wait(self, seconds: float) -> None:
        self._desk.wait(min(seconds, GLANCE))
        self._attention.check()

    def close(self) -> None:
        self._desk.close()
        for subscription in self._subscriptions:
            subscription.close()
        self._close()

    def _answer(self, asked: Sequence[tuple[Unit, Request]]) -> None:
        try:
            self._worker.requests(asked)
        except LogError:
            for _, request in asked:
                self._desk.answer(self._unknown_outcome(request))
            raise
