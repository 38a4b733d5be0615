"""`Scanner`: definitive reads, one place at a time."""

from __future__ import annotations

from time import monotonic
from typing import Any

from kafka.errors import KafkaError, OffsetOutOfRangeError
from kafka.structs import TopicPartition

from shared.adapters.kafka import clients
from shared.adapters.kafka.catalogue import Catalogue
from shared.adapters.kafka.connection import Connection
from shared.adapters.kafka.cursor import Cursor
from shared.adapters.kafka.errors import translated
from shared.runtime.core import Message
from shared.runtime.ports import Indefinite, Place

SLICE = 5
"""Milliseconds of one look for arrivals: a stretch of markers arrives without a record, and only a look shows it."""
PATIENCE = 30.0
"""Seconds for one read."""


class Scanner:
    """Nothing found means: at some moment of the call, nothing was there.

    The last stable offset is asked for when what was known of it is read. So a long stretch costs one question, and
    an empty answer costs one. Gaps (markers, aborted and compacted messages) are passed over.
    """

    def __init__(self, connection: Connection, catalogue: Catalogue) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._consumer: Any = None
        self._cursor: Cursor | None = None
        self._stable = -1

    def read(self, place: Place, offset: int, limit: int) -> list[Message]:
        """Raises `OffsetOutOfRange` below the start offset. Any other error costs the consumer: see K4."""
        wire = self._catalogue.check(*place)
        cursor = self._cursor
        try:
            if cursor is None or cursor.place != place or cursor.first != offset:
                cursor = self._cursor = self._seek(place, wire, offset)
            self._fill(cursor, wire)
        except KafkaError as error:
            self._cursor = None
            if not isinstance(error, OffsetOutOfRangeError):
                self.close()
            raise translated(error, f"read {place[0]}/{place[1]} from offset {offset}") from error
        return cursor.take(offset, limit)

    def close(self) -> None:
        self._cursor = None
        if self._consumer is not None:
            clients.close_quietly(self._consumer, timeout_ms=1_000)
            self._consumer = None

    def _seek(self, place: Place, wire: TopicPartition, offset: int) -> Cursor:
        if self._consumer is None:
            # It doesn't wait at the broker for what isn't there yet: the next place would have to queue behind it.
            self._consumer = clients.consumer(self._connection, fetch_max_wait_ms=SLICE)
        self._stable = -1
        self._consumer.assign([wire])
        self._consumer.seek(wire, offset)
        return Cursor(place, offset, self._connection.logical_name)

    def _fill(self, cursor: Cursor, wire: TopicPartition) -> None:
        """Until something arrived, or nothing can."""
        until = monotonic() + PATIENCE
        asked = False
        while not cursor.messages:
            if self._consumer.position(wire) < self._stable:
                cursor.arrive(self._consumer.poll(SLICE).get(wire, ()))
            elif asked:
                return
            else:
                self._stable = self._consumer.end_offsets([wire], timeout_ms=PATIENCE * 1000)[wire]
                asked = True
            if monotonic() > until:
                raise Indefinite(f"the broker has more of {wire.topic}/{wire.partition} and doesn't deliver it")
