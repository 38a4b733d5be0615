"""`Follower`: what has arrived for the places that a process stays on."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic, sleep
from typing import Any

from kafka.errors import KafkaError, OffsetOutOfRangeError
from kafka.structs import TopicPartition

from shared.adapters.kafka import clients
from shared.adapters.kafka.connection import Connection
from shared.adapters.kafka.cursor import Cursor
from shared.adapters.kafka.errors import as_log_errors, translated
from shared.runtime.core import Message
from shared.runtime.ports import Place

BUFFERED = 64 << 20
"""Bytes of arrived messages kept in all; a place whose share is full is paused at the broker's side."""
LOOK = 0.002
"""Seconds between two looks for arrivals, at least: looking costs a third of a millisecond, whatever the place."""
SLICE = 50
"""Milliseconds of one look while waiting: what arrives just as a look begins may be seen only by the next."""
AT_BROKER = 100
"""Milliseconds that the broker waits for something to tell. A place that was left out of the question waits as long."""


class Follower:
    """One consumer that waits at the broker for all its places at once (a fetch session, KIP-227)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._consumer: Any = None
        self._cursors: dict[TopicPartition, Cursor] = {}
        self._looked = 0.0

    def keep(self, wires: Iterable[TopicPartition]) -> None:
        """Forgets all others, and what has arrived for them; with none left the consumer too, which may be stuck."""
        kept = set(wires)
        self._cursors = {wire: cursor for wire, cursor in self._cursors.items() if wire in kept}
        if self._cursors:
            self._assign()
        else:
            self.close()

    def start(self, wire: TopicPartition, place: Place, offset: int) -> None:
        """Follows a place from here on."""
        if self._consumer is None:
            self._consumer = clients.consumer(self._connection, fetch_max_wait_ms=AT_BROKER)
        self._cursors[wire] = Cursor(place, offset, self._connection.logical_name)
        self._assign()
        with as_log_errors(f"follow {place[0]}/{place[1]}"):
            self._consumer.seek(wire, offset)
            self._consumer.resume(wire)

    def serves(self, wire: TopicPartition, offset: int) -> bool:
        """Whether everything at or after the offset has arrived or will."""
        cursor = self._cursors.get(wire)
        return cursor is not None and cursor.first <= offset

    def holds(self, wire: TopicPartition, offset: int) -> bool:
        """Whether something at or after the offset has arrived."""
        cursor = self._cursors.get(wire)
        return cursor is not None and bool(cursor.messages) and cursor.messages[-1].offset >= offset

    def take(self, wire: TopicPartition, offset: int, limit: int) -> list[Message]:
        cursor = self._cursors[wire]
        found = cursor.take(offset, limit)
        if not found and monotonic() - self._looked > LOOK:
            self._poll(0)
            found = cursor.take(offset, limit)
        if cursor.paused and cursor.bytes < self._share() / 2:
            cursor.paused = False
            self._consumer.resume(wire)
        return found

    def wait(self, seconds: float) -> None:
        """Until something is there to be taken, or the time is over."""
        until = monotonic() + seconds
        if not self._cursors:
            sleep(seconds)
        while self._cursors and not self._holds_any():
            left = (until - monotonic()) * 1000
            if left <= 0:
                return
            self._poll(min(left, SLICE))

    def lagging(self) -> dict[Place, int]:
        """Where nothing has arrived although something is there: the place, and the offset that is waited for."""
        empty = {wire: cursor.place for wire, cursor in self._cursors.items() if not cursor.messages}
        if not empty:
            return {}
        with as_log_errors("look up the ends of what is followed"):
            try:
                stable = self._consumer.end_offsets(list(empty), timeout_ms=10_000)
            except KeyError:
                return {}  # the library stumbles over a topic whose leader it has not learnt of yet
            at = {wire: self._consumer.position(wire) for wire in empty}
        return {place: at[wire] for wire, place in empty.items() if at[wire] < stable[wire]}

    def close(self) -> None:
        self._cursors = {}
        if self._consumer is not None:
            clients.close_quietly(self._consumer, timeout_ms=1_000)
            self._consumer = None

    def _holds_any(self) -> bool:
        return any(cursor.messages for cursor in self._cursors.values())

    def _assign(self) -> None:
        self._consumer.assign(list(self._cursors))

    def _share(self) -> float:
        return BUFFERED / max(1, len(self._cursors))

    def _poll(self, milliseconds: float) -> None:
        """An offset out of range costs its place alone, any other error the consumer: some leave it unusable (K4)."""
        self._looked = monotonic()
        try:
            self._arrive(self._consumer.poll(milliseconds))
        except OffsetOutOfRangeError as error:
            gone = error.args[0] if error.args else self._cursors
            self.keep(wire for wire in self._cursors if wire not in gone)
        except KafkaError as error:
            self.close()
            raise translated(error, "fetch what is followed") from error

    def _arrive(self, records: dict[TopicPartition, list[Any]]) -> None:
        for wire, arrived in records.items():
            cursor = self._cursors[wire]
            cursor.arrive(arrived)
            if cursor.bytes > self._share():
                cursor.paused = True
                self._consumer.pause(wire)
