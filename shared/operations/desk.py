"""`Desk`: where HTTP leaves requests and the core's thread takes them, with an answer for each on its way back."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from threading import Condition

from shared.operations.metrics import Metrics
from shared.runtime.core import Answer, Request, Unit

RETRY_AFTER = 1.0
"""Seconds after which somebody who was turned away may find room: the desk is emptied many times a second."""


class Full(Exception):
    """More bytes wait than may; ``retry_after`` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(f"the desk is full; try again in {retry_after:g} s")


class Closed(Exception):
    """The process is going away, and the core never saw the request."""


@dataclass(slots=True, eq=False)
class _Asked:
    """A request at the desk. ``callers``: how many wait for its answer."""

    unit: Unit
    request: Request
    answer: Future[Answer] = field(default_factory=Future)
    callers: int = 0

    def is_like(self, unit: Unit, request: Request) -> bool:
        """Whether its answer is good for this request too."""
        mine = self.request
        return (self.unit, mine.action, mine.body) == (unit, request.action, request.body)


class Desk:
    """Bounded by bytes, counted from the asking until the answer, so that a slow log is felt at the door.

    An id is here once at a time, because an answer names nothing but its request's id: whoever asks the same at the
    same time (a client that tries again on a second connection) shares the answer, and another request of that id
    waits until the first has its own.
    """

    def __init__(self, max_bytes: int, metrics: Metrics) -> None:
        self._max_bytes = max_bytes
        self._gauge = metrics.desk_bytes
        self._news = Condition()
        self._bytes = 0
        self._closed = False
        self._waiting: dict[str, _Asked] = {}
        self._taken: dict[str, _Asked] = {}

    async def ask(self, unit: Unit, request: Request, timeout: float) -> Answer:
        """Raises `Full` and `Closed` (nothing was taken), or TimeoutError (nobody knows)."""
        async with asyncio.timeout(timeout):
            while True:
                asked = self._leave(unit, request)
                try:
                    answer = await asyncio.wrap_future(asked.answer)
                finally:
                    self._went(asked)
                if asked.is_like(unit, request):
                    return answer

    def take(self, limit: int = 64) -> list[tuple[Unit, Request]]:
        """What was asked, oldest first; never blocks."""
        with self._news:
            taken = {name: self._waiting.pop(name) for name in list(islice(self._waiting, limit))}
            self._taken |= taken
        return [(asked.unit, asked.request) for asked in taken.values()]

    def answer(self, answer: Answer) -> None:
        """To everybody who asked this."""
        with self._news:
            asked = self._taken.pop(answer.request, None)
            if asked is not None:
                self._count(-len(asked.request.body))
        if asked is not None:
            asked.answer.set_result(answer)

    def wait(self, seconds: float) -> bool:
        """Until a request is there."""
        with self._news:
            return self._news.wait_for(lambda: bool(self._waiting), seconds)

    def close(self) -> None:
        """Requests that nobody took end in `Closed`; those that were taken may have been done or not: TimeoutError."""
        with self._news:
            self._closed = True
            untouched, unknown = list(self._waiting.values()), list(self._taken.values())
            self._waiting.clear()
            self._taken.clear()
            self._count(-self._bytes)
        for asked in untouched:
            asked.answer.set_exception(Closed())
        for asked in unknown:
            asked.answer.set_exception(TimeoutError())

    def _leave(self, unit: Unit, request: Request) -> _Asked:
        """The request at the desk under this id, which is now waited for by one more."""
        with self._news:
            if self._closed:
                raise Closed
            asked = self._waiting.get(request.id) or self._taken.get(request.id)
            if asked is None:
                asked = self._put(unit, request)
            asked.callers += 1
            return asked

    def _put(self, unit: Unit, request: Request) -> _Asked:
        size = len(request.body)
        if self._bytes and self._bytes + size > self._max_bytes:
            raise Full(RETRY_AFTER)
        self._count(size)
        asked = self._waiting[request.id] = _Asked(unit, request)
        # Running, so that a caller who hangs up can't cancel what others wait for.
        asked.answer.set_running_or_notify_cancel()
        self._news.notify()
        return asked

    def _went(self, asked: _Asked) -> None:
        """A request that nobody waits for any more and nobody took is gone, or a log that is down would fill memory."""
        with self._news:
            asked.callers -= 1
            if not asked.callers and self._waiting.get(asked.request.id) is asked:
                del self._waiting[asked.request.id]
                self._count(-len(asked.request.body))

    def _count(self, size: int) -> None:
        self._bytes += size
        self._gauge.set(self._bytes)
