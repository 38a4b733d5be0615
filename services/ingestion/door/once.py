"""`Once`: an attempt under a key that came before gets the answer of the first one.

Nothing rests on it.  The ids that the core derives make a repeated delivery count once in any case; what this saves is
the work, and what it finds is a key used for two different things.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from anyio import to_thread

from services.ingestion.door.keys import Key
from shared.access.problems import Problem
from shared.access.stores import Earlier, OtherBody, StoreDown, Window
from shared.access.watching import Measures
from shared.runtime.core import Answer

Value = TypeVar("Value")
ACCEPTED = 202
DEGRADED = "idempotency window"


@dataclass(frozen=True, slots=True)
class Given:
    """An answer; ``replayed`` where an earlier attempt earned it."""

    answer: Answer
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Flight:
    key: Key
    landed: asyncio.Task[Given]


class Once:
    """Per process. Attempts under way here are joined; finished ones are looked up in the window."""

    def __init__(self, window: Window, measures: Measures) -> None:
        self._window = window
        self._measures = measures
        self._flights: dict[str, _Flight] = {}

    async def answer(self, key: Key, ask: Callable[[], Awaitable[Answer]]) -> Given:
        """Raises what ``ask`` raises, and `Problem` 422 for a key that came with another body."""
        if not key.given:
            return Given(await ask())
        while (flight := self._flights.get(key.request)) is not None:
            if flight.key == key:
                return Given((await asyncio.shield(flight.landed)).answer, replayed=True)
            # One event for two pipelines: an answer carries the request's id alone, so they go one after the other.
            await asyncio.wait({flight.landed})
        # A task of its own, because the one who asked first may hang up while another waits for the same answer.
        landed = asyncio.ensure_future(self._first(key, ask))
        self._flights[key.request] = _Flight(key, landed)
        landed.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(landed)

    def _land(self, key: Key, done: asyncio.Task[Given]) -> None:
        del self._flights[key.request]
        if not done.cancelled():
            done.exception()  # looked at, or asyncio complains where nobody waits any more

    async def _first(self, key: Key, ask: Callable[[], Awaitable[Answer]]) -> Given:
        earlier = await self._asked(lambda: self._begun(key))
        if earlier is not None:
            return Given(Answer(key.request, earlier.status, earlier.body), replayed=True)
        answer = await ask()
        if answer.status == ACCEPTED:
            kept = Earlier(answer.status, answer.body)
            await self._asked(lambda: self._window.keep(key.place, key.fingerprint, kept))
        elif answer.status < 500:
            # A refusal's cause may be gone at the next attempt, and a mended body is no other body.
            await self._asked(lambda: self._window.forget(key.place, key.fingerprint))
        return Given(answer)

    def _begun(self, key: Key) -> Earlier | None:
        try:
            return self._window.begin(key.place, key.fingerprint)
        except OtherBody:
            detail = "this idempotency key came before with another body; use a new key for a new delivery"
            raise Problem(422, "key-reused", detail) from None

    async def _asked(self, call: Callable[[], Value]) -> Value | None:
        try:
            return await to_thread.run_sync(call)
        except StoreDown:
            self._measures.degraded(DEGRADED)
            return None
