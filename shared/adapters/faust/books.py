"""`Books`: what of a core's inputs has been handled, by which states, and what still has to be done about a batch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

from faust.types import TP

from shared.adapters.faust.driver import App
from shared.adapters.faust.messages import Sending
from shared.adapters.faust.staging import Batch, Staging
from shared.adapters.faust.states import States
from shared.events.topics import LARGEST
from shared.runtime.aside import SetAside
from shared.runtime.core import Core, Message, Read
from shared.runtime.hosts import read_on, snapshots_of
from shared.runtime.observer import Observer
from shared.runtime.partitions import partition_of
from shared.runtime.ports import Log, LogError, Place
from shared.runtime.worker import Worker, unit_of

_log = logging.getLogger(__name__)


class Books:
    """One core on the partitions that the app was assigned. Any error from here means: begin again from what is stored.

    ``open``: whether the states of all owned partitions are loaded. ``handled`` and ``appended`` count messages.
    """

    def __init__(self, core: Core[Any], app: App, read: Read, set_aside: SetAside, observer: Observer) -> None:
        self.open = False
        self.handled = 0
        self.appended = 0
        self._core = core
        self._app = app
        self._snapshots = snapshots_of(core)
        self._read = read
        self._set_aside = set_aside
        self._observer = observer
        self._sending = Sending(app)
        self._states = States(core, app.connection, app.timing)
        self._positions: dict[Place, int] = {}
        self._logical = {app.connection.wire_name(topic): topic for topic in core.reads}

    async def take_over(self) -> None:
        """After each assignment, before its first message."""
        assignment = self._app.reader.assignment()
        self._check_together(assignment)
        await self._sending.learn((*self._core.reads, self._snapshots))
        self._check_alike()
        await self._states.close()
        cut = await self._states.open({place.partition for place in assignment})
        self._reach(await self._starts(assignment, cut.positions))
        self._staging = Staging(cut.held, self._positions)
        self._worker = self._new_worker()
        self._worker.open()
        self.open = True
        partitions = sorted({partition for _, partition in self._positions})
        _log.info("took over partitions %s with %d states", partitions, len(cut.held))

    async def hand_over(self) -> None:
        """Before partitions may go to another."""
        self.open = False
        await self._states.close()

    async def handle(self, messages: Sequence[Message]) -> None:
        """Folds the messages, then carries out what follows. They count when this returns, not before."""
        ordered = sorted(messages, key=self._order)
        for _, group in groupby(ordered, key=lambda message: message.partition):
            self._worker.deliver([(unit_of(self._core, message), message) for message in self._at_home(group)])
        batch = self._staging.take()
        await self._sending.send(batch.appends)
        reached = {(message.topic, message.partition): message.offset + 1 for message in ordered}
        await self._save(batch, self._positions | reached, {partition for _, partition in reached})
        self._reach(self._positions | reached)
        self.appended += len(batch.appends)
        self.handled += len(messages)

    def _order(self, message: Message) -> tuple[int, int]:
        """Of the topics that came together, the core's first one first."""
        return message.partition, self._core.reads.index(message.topic)

    def _at_home(self, messages: Iterable[Message]) -> Iterator[Message]:
        """A unit's state has one place. A message that lies elsewhere would begin a second one there."""
        for message in messages:
            home = self._home(message.key)
            if home == message.partition:
                yield message
            else:
                place = f"{message.topic}/{message.partition}/{message.offset}"
                _log.error("ignored %s: its key belongs to partition %d; who wrote it chose another", place, home)

    def _home(self, pipeline: str) -> int:
        return partition_of(pipeline, None, self._sending.partitions(self._core.reads[0]))

    async def _save(self, batch: Batch, reached: Mapping[Place, int], touched: set[int]) -> None:
        saves = []
        for partition in sorted(touched):
            held = {unit: held for unit, held in batch.saved.items() if self._home(unit.pipeline) == partition}
            following = {topic: offset for (topic, where), offset in reached.items() if where == partition}
            saves.append(self._states.save(partition, held, following))
        await asyncio.gather(*saves)

    def _reach(self, positions: dict[Place, int]) -> None:
        self._positions = positions
        wire = self._app.connection.wire_name
        self._app.positions = {TP(wire(topic), partition): offset for (topic, partition), offset in positions.items()}

    async def _starts(self, assignment: set[TP], stored: Mapping[Place, int]) -> dict[Place, int]:
        """The stored positions; where there is none, or retention overtook it, the first message that is there."""
        earliest = await self._app.reader.earliest_offsets(*assignment) if assignment else {}
        starts = {}
        for place, first in earliest.items():
            here = self._logical[place.topic], place.partition
            starts[here] = read_on(*here, stored.get(here), first)
        return starts

    def _check_together(self, assignment: set[TP]) -> None:
        partitions = {place.partition for place in assignment}
        if assignment != {TP(topic, partition) for topic in self._logical for partition in partitions}:
            raise RuntimeError(
                f"the group assigned {sorted(assignment)}: not the same partitions of each topic, so states would be "
                f"torn apart; is an older build a member of it?"
            )

    def _check_alike(self) -> None:
        """The inputs among themselves are the worker's to check."""
        topics = (self._core.reads[0], self._snapshots)
        counts = {topic: self._sending.partitions(topic) for topic in topics}
        if len(set(counts.values())) > 1:
            raise LogError(f"a partition's states need one of the same number, and there are {counts}: create it anew")

    def _new_worker(self) -> Worker:
        return Worker(
            self._core,
            cast(Log, self._sending),  # it asks for the partitions alone
            self._read,
            self._staging,
            lane_topics=frozenset(self._core.reads),
            observer=self._observer,
            set_aside=self._set_aside,
            largest=LARGEST,
        )
