"""`FaustHost`: one core on Faust, without Faust's promises: it reads and sends, `Books` says what has been done.

A batch goes through four steps, each only after the one before it: the core folds it; the appends are sent; the broker
acknowledges them; states and positions are saved.  Then it counts.  Whatever goes wrong on the way ends the process
with `FAILED`: Faust acknowledges an event whose handler raised or was cancelled, so nothing may leave the agent's body.
The next process begins where the stored positions say.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, cast

import faust
from faust.types import TP, StreamT

from shared.adapters.faust.books import Books
from shared.adapters.faust.driver import App
from shared.adapters.faust.messages import message_of
from shared.adapters.faust.settings import Timing
from shared.adapters.faust.watchdog import Standing, Watchdog
from shared.adapters.kafka.connection import Connection
from shared.runtime.aside import SetAside
from shared.runtime.core import Core, Read
from shared.runtime.observer import Observer, Silent
from shared.runtime.worker import BATCH

FAILED = 70
"""EX_SOFTWARE of sysexits.h: start a new process."""
GATHER = 0.02
"""Seconds for a batch to fill: the latency that many messages to one transaction cost."""
GLANCE = 0.1
"""Seconds between two looks at whether to stop."""

_log = logging.getLogger(__name__)


class FaustHost:
    """One core without lanes, timers, jobs and requests.

    ``end`` ends the process on the spot, from any thread, without anything that could still acknowledge an event.
    """

    def __init__(
        self,
        core: Core[Any],
        connection: Connection,
        read: Read,
        set_aside: SetAside,
        *,
        observer: Observer | None = None,
        timing: Timing | None = None,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        if core.per_lane:
            raise ValueError(f"{core.name!r} keeps a state per lane; run it over a LogHost")
        self._end = end
        self._timing = timing or Timing()
        self._app = App(connection.own_name(core.name), connection, self._timing)
        self._books = Books(core, self._app, read, set_aside, observer or Silent())
        self._names = {connection.wire_name(topic): topic for topic in core.reads}
        self._generation = -1
        self.lag: Mapping[str, int] = {}
        """Per topic, offsets between what counts and the end, over all owned partitions, as the watchdog saw it."""
        self._name = core.name

    @property
    def assigned(self) -> bool:
        """Whether it has its partitions, possibly none, and their states."""
        return self._books.open

    @property
    def handled(self) -> int:
        """Messages that count, since the process began."""
        return self._books.handled

    @property
    def appended(self) -> int:
        """Messages written, since the process began."""
        return self._books.appended

    def run(self, stopping: Callable[[], bool]) -> int:
        """Until it is told to stop; returns the process's exit code."""
        return asyncio.run(self.serve(stopping))

    async def serve(self, stopping: Callable[[], bool]) -> int:
        """`run`, on the running loop."""
        self._prepare()
        watchdog = Watchdog(asyncio.get_running_loop(), self._standing, self._timing.patience, self._fail)
        watchdog.start()
        starting = asyncio.ensure_future(self._app.start())
        while not (stopping() or self._app.should_stop or _failed(starting)):
            await asyncio.sleep(GLANCE)
        watchdog.release()
        if stopping():
            await self._stop(starting)
            return 0
        self._fail("Faust gave up", self._app.crash_reason or starting.exception())
        return FAILED

    def _prepare(self) -> None:
        app = self._app
        app.loop = asyncio.get_running_loop()
        self._handover = asyncio.Lock()
        # Faust acknowledges what it can't decode, and drops it; bytes it can always decode.
        inputs = app.topic(*self._names, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
        # More than one actor would handle the events of a partition side by side.
        app.agent(inputs, name=self._name, concurrency=1)(self._agent)
        app.on_partitions_revoked.connect(self._on_revoked)
        app.on_rebalance_complete.connect(self._on_assigned)
        app.finalize()

    async def _stop(self, starting: asyncio.Future[None]) -> None:
        """What is under way is finished, nothing new begins."""
        try:
            async with asyncio.timeout(self._timing.stop):
                await self._app.stop()
                await asyncio.wait([starting])
                await self._books.hand_over()
        except TimeoutError as error:
            self._fail(f"no orderly stop within {self._timing.stop:g} s", error)

    async def _agent(self, stream: StreamT[Any]) -> None:
        async for events in cast(faust.Stream[bytes], stream).take_events(BATCH, within=GATHER):
            try:
                # A batch ends before partitions change hands: half of it would land in the books of the next owner.
                async with self._handover:
                    # Those of an older assignment are left alone: they are read again, here or elsewhere.
                    fresh = [event.message for event in events if event.message.generation_id == self._generation]
                    await self._books.handle([message_of(message, self._names) for message in fresh])
            except BaseException as error:
                self._fail("a batch could not be finished", error)
                raise

    async def _on_revoked(self, *_: object, **__: object) -> None:
        """Waits for a take-over that is under way: it must not fence the partitions' next owner."""
        async with self._handover:
            await self._books.hand_over()

    async def _on_assigned(self, *_: object, **__: object) -> None:
        try:
            async with self._handover, asyncio.timeout(self._timing.rebalance / 2):
                await self._books.take_over()
                self._generation = self._app.consumer_generation_id
        except Exception as error:  # noqa: BLE001
            self._fail("could not take over the assigned partitions", error)

    async def _standing(self) -> Standing:
        if not self._books.open:
            return Standing(True, (self.handled,))
        behind, fetched = await self._app.reader.behind()
        self.lag = _by_topic(self._names, behind)
        return Standing(any(behind.values()), (self.handled, *fetched))

    def _fail(self, reason: str, error: BaseException | None = None) -> None:
        _log.critical("%s; the process ends, the next one begins from what is stored", reason, exc_info=error)
        self._end(FAILED)


def _by_topic(names: Mapping[str, str], behind: Mapping[TP, int]) -> dict[str, int]:
    return {name: sum(n for place, n in behind.items() if place.topic == wire) for wire, name in names.items()}


def _failed(starting: asyncio.Future[None]) -> bool:
    return starting.done() and starting.exception() is not None
