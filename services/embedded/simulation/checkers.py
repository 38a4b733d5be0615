"""What must hold whatever the cores mean. Domain checkers (one promotion per job, ...) stand beside their scenario.

Each looks only at what is new since it last looked, so that it can look after every step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from services.embedded.simulation.history import History, Unread
from shared.runtime.advance import Held
from shared.runtime.blobs import BlobReader
from shared.runtime.codec import decode
from shared.runtime.core import Core, Message, Unit
from shared.runtime.hosts import snapshots_of
from shared.runtime.ports import Blobs, Place
from shared.runtime.worker import unit_of


def where(message: Message) -> str:
    """ "topic/partition/offset": how causes and witnesses name a message."""
    return f"{message.topic}/{message.partition}/{message.offset}"


class LogOrder:
    """Offsets of a partition strictly increase, and what was once read at an offset stands there for ever."""

    name = "log-order"

    def __init__(self, *topics: str) -> None:
        self._unread = {topic: Unread(topic) for topic in topics}
        self._seen: dict[str, list[Message]] = {topic: [] for topic in topics}
        self._last: dict[Place, int] = {}

    def observe(self, history: History) -> str | None:
        for topic, unread in self._unread.items():
            for message in unread(history):
                if message.offset <= self._last.get((topic, message.partition), -1):
                    return f"{where(message)} appeared behind {self._last[topic, message.partition]}"
                self._last[topic, message.partition] = message.offset
                self._seen[topic].append(message)
        return self._rewritten(history) if history.quiet else None

    def _rewritten(self, history: History) -> str | None:
        for topic, seen in self._seen.items():
            if sorted(seen, key=where) != sorted(history.messages(topic), key=where):
                return f"{topic} does not read the same twice"
        return None


class OffsetsMonotone:
    """A group's offset never goes back, unless it's reset, and never beyond what is decided."""

    name = "offsets-monotone"

    def __init__(self) -> None:
        self._last: dict[tuple[str, Place], int] = {}
        self._resets = 0

    def observe(self, history: History) -> str | None:
        for group, place, offset in history.resets[self._resets :]:
            self._last[group, place] = offset
        self._resets = len(history.resets)
        for key, offset in history.offsets().items():
            if offset == self._last.get(key):
                continue
            group, place = key
            if offset < self._last.get(key, 0):
                return f"group {group} went back from {self._last[key]} to {offset} on {place}"
            if offset > history.log.end_offset(*place):
                return f"group {group} committed {offset} on {place}, beyond {history.log.end_offset(*place)}"
            self._last[key] = offset
        return None


class ExactlyOnce:
    """Each visible input has its visible outputs once each; in the end, all of them and nothing else.

    ``expected`` gives the outputs' names for an input, ``named`` an output's own name (for instance its event id).
    """

    def __init__(
        self, source: str, target: str, expected: Callable[[Message], Iterable[str]], named: Callable[[Message], str]
    ) -> None:
        self.name = f"exactly-once {source} -> {target}"
        self._inputs = Unread(source)
        self._outputs = Unread(target)
        self._expected = expected
        self._named = named
        self._wanted: Counter[str] = Counter()
        self._found: Counter[str] = Counter()

    def observe(self, history: History) -> str | None:
        for message in self._inputs(history):
            self._wanted.update(self._expected(message))
        for message in self._outputs(history):
            name = self._named(message)
            self._found[name] += 1
            if self._found[name] > self._wanted[name]:
                return f"{where(message)} repeats or invents {name}"
        lost = self._wanted - self._found if history.quiet else None
        return f"lost: {', '.join(sorted(lost))}" if lost else None


class StateIsFold:
    """Every stored state equals the core folded over the log up to the offsets that the state covers.

    For cores with one own topic and no timers: only there does the log alone give the order of inputs.
    """

    def __init__(self, core: Core[Any], topic: str, blobs: Blobs) -> None:
        self.name = f"state-is-fold {core.name}"
        self._core = core
        self._topic = topic
        self._kind = cast(Any, Held)[core.state_type]
        self._read = BlobReader(blobs)
        self._snapshots = Unread(snapshots_of(core))
        self._inputs = Unread(topic)
        self._states: dict[Unit, Any] = {}
        self._after: dict[tuple[str, int], Any] = {}

    def observe(self, history: History) -> str | None:
        for message in self._inputs(history):
            self._fold(message)
        for message in self._snapshots(history):
            held: Held[Any] = decode(self._kind, message.value)
            for place, offset in held.covered.items():
                if self._after.get((f"{message.key}@{place}", offset), held.state) != held.state:
                    return f"{where(message)} is no fold of {place} up to {offset}: {held.state}"
                if place.startswith(f"{self._topic}/") and (f"{message.key}@{place}", offset) not in self._after:
                    return f"{where(message)} covers {place} up to {offset}, where {message.key} has no message"
        return None

    def _fold(self, message: Message) -> None:
        unit = unit_of(self._core, message)
        state = self._states.get(unit) or self._core.initial(unit)
        self._states[unit] = self._core.handle(state, message, self._read).state
        key = unit.pipeline if unit.lane is None else f"{unit.pipeline}/{unit.lane}"
        self._after[f"{key}@{message.topic}/{message.partition}", message.offset + 1] = self._states[unit]


class AllRead:
    """In the end each group has read its own topics to their ends (positions, since markers occupy offsets too)."""

    name = "all-read"

    def __init__(self, topics: Mapping[str, Iterable[str]]) -> None:
        self._topics = topics

    def observe(self, history: History) -> str | None:
        if not history.quiet:
            return None
        for group, topics in self._topics.items():
            for message in (m for topic in topics for m in history.messages(topic)):
                if history.offsets().get((group, (message.topic, message.partition)), 0) <= message.offset:
                    return f"group {group} never read {where(message)}"
        return None
