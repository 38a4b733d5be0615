"""`Worker`: reads one core's topics, finds the unit that each message belongs to, and advances it.

**Which unit.** The key is the pipeline.  A core without lanes has one unit per pipeline.  A core with lanes has one
per (pipeline, lane), the lane standing in the message's header; without that header it's lane 0.

**Messages for all lanes.** A topic that isn't declared per lane (``serving``), read by a core with lanes, concerns
every lane of its pipeline.  Each worker reads all of its partitions from the beginning, before anything else, and
remembers the latest message per pipeline.  A unit that the worker knows is handed each such message as it arrives;
a unit that the worker meets for the first time (a new lane, a restart, a partition taken over) is handed the latest
one before its own first input.  What its state covers is skipped as always.  So a core sees every change, or the
latest at once, and must be content with either: such a message says how things are, not what changed.

**A message in a partition that is not its unit's** is told and passed over: taken, it would begin a second state of the
unit there, beside the right one. Only a foreign writer can put it there.

**An input that the core cannot handle** is set aside where the host wants that: the others of its batch go through
first, then the input's unit stays as it is and covers it, and an effect says what became of it (a dead letter, an
answer).  Otherwise one pipeline's defect would stop all that share its partition.  One from which more would follow
than a topic is declared to take (``largest``), or than a state may be, is such an input.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from shared.runtime.advance import NO_LIMITS, Advanced, Held, Host, advance
from shared.runtime.aside import OUTSIDE, SetAside, Unmoved
from shared.runtime.core import Append, Core, Input, Message, Read, Request, Tick, Unit
from shared.runtime.observer import Observer, Silent
from shared.runtime.partitions import LANE, partition_of
from shared.runtime.ports import Log, Place

_log = logging.getLogger(__name__)

LANE_NUMBER = re.compile("[0-9]{1,6}")
BATCH = 64
"""Messages folded into one unit of work, at most."""


class WorkerHost(Host, Protocol):
    """A host that also knows where its worker begins."""

    def open(self, topics: tuple[str, ...]) -> tuple[int, ...]:
        """Takes over and loads: returns the owned partitions, the same ones of each topic."""

    def current(self) -> bool:
        """Whether the partitions are still this worker's, as far as it can know."""

    def units(self) -> Sequence[Unit]:
        """Units with a stored state in the owned partitions."""

    def position(self, topic: str, partition: int) -> int:
        """Where to read on: nothing before it is missing from any stored state."""


class Worker:
    """One core on the partitions that its host owns. Call `open` first, and again after any `LogError`."""

    def __init__(
        self,
        core: Core[Any],
        log: Log,
        read: Read,
        host: WorkerHost,
        *,
        lane_topics: frozenset[str],
        batch: int = BATCH,
        observer: Observer | None = None,
        set_aside: SetAside | None = None,
        largest: Mapping[str, int] = NO_LIMITS,
    ) -> None:
        self.core = core
        self._largest = largest
        self._observer = observer or Silent()
        self._set_aside = set_aside
        self._log = log
        self._read = read
        self._host = host
        self._batch = batch
        self._for_all = tuple(t for t in core.reads if core.per_lane and t not in lane_topics)
        self._own = tuple(topic for topic in core.reads if topic not in self._for_all)
        _check_alike(core, log, self._own)
        self._forget()

    def open(self) -> None:
        """Starts from what is stored, whatever this worker believed before."""
        self._forget()
        owned = self._host.open(self._own)
        for topic in self._for_all:
            for partition in range(self._log.partitions(topic)):
                self._positions[topic, partition] = self._log.start_offset(topic, partition)
        for topic in self._own:
            for partition in owned:
                self._positions[topic, partition] = self._host.position(topic, partition)
        self._observer.opened()
        for unit in self._host.units():
            self._meet(unit)
            held = self._host.held(unit)
            self._note(unit, held)
            if held is not None:
                self._observer.moved(unit, held.state)

    def places(self) -> tuple[Place, ...]:
        """What this worker reads, in the order in which it should be drained."""
        return tuple(self._positions)

    def positions(self) -> Mapping[Place, int]:
        """Where each place is read on."""
        return dict(self._positions)

    def take(self, place: Place) -> bool:
        """Advances by the next messages there; False at the end."""
        messages = self._log.read(*place, self._positions[place], self._batch)
        if not messages:
            return False
        position = messages[-1].offset + 1
        inputs = [routed for message in messages for routed in self._route(message)]
        self._advance(inputs, {} if place[0] in self._for_all else {place: position})
        self._positions[place] = position
        return True

    def step(self) -> bool:
        """Takes from the first place that has something; False when none has."""
        if not self._host.current():
            self.open()
        return any(self.take(place) for place in self._positions)

    def sweep(self) -> bool:
        """Takes once from every place, so that a busy one keeps no other waiting; False when none has anything."""
        if not self._host.current():
            self.open()
        return sum([self.take(place) for place in self.places()]) > 0

    def tick(self, now: int) -> bool:
        """Fires the timer that is due for longest; False when none is due."""
        due = min(self._timers(), key=_due_first, default=None)
        if due is None or due[0] > now:
            return False
        self._advance([(due[1], Tick(due[2], now))], {})
        return True

    def wake_at(self) -> int | None:
        """When the next timer is due (log time, ms)."""
        return min((at for at, _, _ in self._timers()), default=None)

    def requests(self, asked: Sequence[tuple[Unit, Request]]) -> None:
        """Advances by requests, in one unit of work; the host has the answers when the core gave them."""
        self._advance([routed for unit, request in asked for routed in (*self._introduce(unit), (unit, request))], {})

    def deliver(self, messages: Sequence[tuple[Unit, Message]]) -> None:
        """Advances by messages of topics that are not the core's own; whoever read them keeps the offsets."""
        self._advance([each for unit, message in messages for each in (*self._introduce(unit), (unit, message))], {})

    def _forget(self) -> None:
        self._positions: dict[Place, int] = {}
        self._known: dict[str, dict[Unit, None]] = {}
        self._latest: dict[tuple[str, str], Message] = {}
        self._waiting: dict[Unit, dict[str, int]] = {}

    def _advance(self, inputs: list[tuple[Unit, Input]], positions: dict[Place, int]) -> None:
        try:
            self._move(self.core, inputs, positions)
        except OUTSIDE:
            raise
        except Exception:
            if self._set_aside is None:
                raise
            for routed in inputs:
                self._move_or_set_aside(routed, self._set_aside)
            self._move(self.core, [], positions)

    def _move_or_set_aside(self, routed: tuple[Unit, Input], set_aside: SetAside) -> None:
        unit, item = routed
        try:
            self._move(self.core, [routed], {})
        except OUTSIDE:
            raise
        except Exception as error:
            if isinstance(item, Tick):
                raise  # nobody would ever ask for this timer again
            self._move(Unmoved(self.core, set_aside(unit, item, error)), [routed], {})

    def _move(self, core: Core[Any], inputs: list[tuple[Unit, Input]], positions: dict[Place, int]) -> None:
        advanced = advance(core, inputs, self._read, self._host, positions, self._largest)
        for unit, held in advanced.moved.items():
            self._note(unit, held)
        self._tell(inputs, advanced)

    def _tell(self, inputs: list[tuple[Unit, Input]], advanced: Advanced) -> None:
        for _, item in inputs:
            if isinstance(item, Message):
                self._observer.seen(item)
        for unit, held in advanced.moved.items():
            self._observer.moved(unit, held.state)
        for effect in advanced.effects:
            if isinstance(effect, Append):
                self._observer.said(effect)

    def _route(self, message: Message) -> Iterator[tuple[Unit, Input]]:
        if message.topic in self._for_all:
            self._latest[message.topic, message.key] = message
            yield from ((unit, message) for unit in self._known.get(message.key, ()))
            return
        if self.core.per_lane and not LANE_NUMBER.fullmatch(message.headers.get(LANE, "0")):
            _log.error("ignored %s: its header %r is no lane's number", _place(message), LANE)
            return
        unit = unit_of(self.core, message)
        home = partition_of(unit.pipeline, unit.lane, self._log.partitions(message.topic))
        if home == message.partition:
            yield from self._introduce(unit)
            yield unit, message
        else:
            told = "ignored %s: its key belongs to partition %d; who wrote it chose another"
            _log.error(told, _place(message), home)

    def _introduce(self, unit: Unit) -> list[tuple[Unit, Input]]:
        """For a unit met for the first time: the latest messages for all lanes."""
        if not self._for_all or unit in self._known.get(unit.pipeline, ()):
            return []
        self._meet(unit)
        latest = (self._latest.get((topic, unit.pipeline)) for topic in self._for_all)
        return [(unit, message) for message in latest if message is not None]

    def _meet(self, unit: Unit) -> None:
        self._known.setdefault(unit.pipeline, {})[unit] = None

    def _note(self, unit: Unit, held: Held[Any] | None) -> None:
        if held is not None and held.timers:
            self._waiting[unit] = dict(held.timers)
        else:
            self._waiting.pop(unit, None)

    def _timers(self) -> Iterator[tuple[int, Unit, str]]:
        return ((at, unit, name) for unit, timers in self._waiting.items() for name, at in timers.items())


def _due_first(timer: tuple[int, Unit, str]) -> tuple[int, str, int, str]:
    at, unit, name = timer
    return at, unit.pipeline, -1 if unit.lane is None else unit.lane, name


def _place(message: Message) -> str:
    return f"{message.topic}/{message.partition}/{message.offset}"


def unit_of(core: Core[Any], message: Message) -> Unit:
    """The unit that a message of one of the core's own topics belongs to."""
    return Unit(message.key, int(message.headers.get(LANE, 0)) if core.per_lane else None)


def _check_alike(core: Core[Any], log: Log, topics: tuple[str, ...]) -> None:
    counts = {topic: log.partitions(topic) for topic in topics}
    if len(set(counts.values())) > 1:
        raise ValueError(f"{core.name!r} reads {counts}: workers would tear units apart; make partition counts equal")
