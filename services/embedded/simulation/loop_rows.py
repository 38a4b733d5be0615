"""What must hold of every single row: none lost, none predicted twice, no label counted twice."""

from __future__ import annotations

from collections.abc import Iterator

from services.embedded.simulation.checkers import where
from services.embedded.simulation.history import History, Unread
from shared.events.deployment import ServingChanged
from shared.events.envelope import from_message
from shared.events.prediction import PerformanceCounted
from shared.events.topics import (
    PERFORMANCE,
    PREDICTIONS,
    RECORDS_DEAD,
    RECORDS_INGESTED,
    RECORDS_VALIDATED,
    SERVING,
)
from shared.runtime.core import Message
from shared.runtime.partitions import LANE


class Conserved:
    """Every received row is accepted or refused, once: at any time no more than came in, in the end all of them."""

    name = "conserved"

    def __init__(self) -> None:
        self._topics = {t.name: Unread(t.name) for t in (RECORDS_INGESTED, RECORDS_VALIDATED, RECORDS_DEAD)}
        self._rows = dict.fromkeys(self._topics, 0)

    def observe(self, history: History) -> str | None:
        for topic, unread in self._topics.items():
            self._rows[topic] += sum(int(message.headers["rows"]) for message in unread(history))
        received = self._rows[RECORDS_INGESTED.name]
        judged = self._rows[RECORDS_VALIDATED.name] + self._rows[RECORDS_DEAD.name]
        if judged > received or (history.quiet and judged != received):
            return f"{received} rows were received, {judged} were accepted or refused"
        return None


class Predicted:
    """A validated message is predicted at most once, from a lane's first prediction on each one, in order, by a version
    that had been put into serving; no lane goes back to an older word of serving."""

    name = "predicted"

    def __init__(self) -> None:
        self._served: list[str] = []
        self._serving = Unread(SERVING.name)
        self._unread = Unread(PREDICTIONS.name)
        self._lanes: dict[str, list[int]] = {}
        self._word: dict[str, int] = {}

    def observe(self, history: History) -> str | None:
        self._served += [version for message in self._serving(history) if (version := _version(message))]
        for message in self._unread(history):
            lane = message.headers[LANE]
            firsts = self._lanes.setdefault(lane, [])
            if firsts and int(message.headers["first"]) <= firsts[-1]:
                return f"{where(message)} predicts rows {message.headers['first']} of lane {lane} again"
            firsts.append(int(message.headers["first"]))
            if reason := self._wrong_word(lane, message):
                return reason
        return self._unpredicted(history) if history.quiet else None

    def _wrong_word(self, lane: str, message: Message) -> str | None:
        version = message.headers["version"]
        after = self._word.get(lane, 0)
        if version not in self._served[after:]:
            return f"{where(message)} names {version}, which serving did not say (any more)"
        self._word[lane] = self._served.index(version, after)
        return None

    def _unpredicted(self, history: History) -> str | None:
        for message in history.messages(RECORDS_VALIDATED.name):
            firsts = self._lanes.get(message.headers[LANE], [])
            first = int(message.headers["first"])
            if firsts and first >= firsts[0] and first not in firsts:
                return f"{where(message)} was never predicted"
        return None


def _version(message: Message) -> str | None:
    served = from_message(message)
    return served.version if isinstance(served, ServingChanged) else None


class LabelsCountedOnce:
    """A lane's counts follow on each other without a gap; in the end they hold each accepted row's label once."""

    name = "labels-counted-once"

    def __init__(self, labels: int) -> None:
        self._labels = labels
        self._unread = Unread(PERFORMANCE.name)
        self._counted: dict[int, int] = {}

    def observe(self, history: History) -> str | None:
        for message, counted in self._new(history):
            reached = self._counted.get(counted.lane, 0)
            if counted.first != reached:
                return f"{where(message)} counts lane {counted.lane} from {counted.first} on; it was at {reached}"
            self._counted[counted.lane] = counted.last
        total = sum(self._counted.values())
        if total > self._labels or (history.quiet and total != self._labels):
            return f"{total} labels were counted; {self._labels} rows have one"
        return None

    def _new(self, history: History) -> Iterator[tuple[Message, PerformanceCounted]]:
        for message in self._unread(history):
            event = from_message(message)
            if isinstance(event, PerformanceCounted):
                yield message, event
