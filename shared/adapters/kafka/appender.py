"""`Appender`: appends outside transactions, acknowledged by all in-sync replicas before they return."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

from kafka.errors import KafkaError

from shared.adapters.kafka import clients
from shared.adapters.kafka.catalogue import Catalogue
from shared.adapters.kafka.connection import Connection
from shared.adapters.kafka.errors import translated
from shared.adapters.kafka.headers import to_wire
from shared.adapters.kafka.window import Window
from shared.runtime.ports import Addressed

DELIVERY = 30_000
"""Milliseconds after which an append that nobody acknowledged is given up."""
IN_FLIGHT = 32 << 20
"""Bytes of one call that may wait for their acknowledgement (K6)."""


class Appender:
    """Any thread may append. After an error the producer is thrown away with all it holds, and a new one built (K3).

    Repeated sends of one producer are written once (idempotence); what a caller repeats after an error may stand in
    the log twice.
    """

    def __init__(self, connection: Connection, catalogue: Catalogue) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._lock = Lock()
        self._producer: Any = None

    def append_all(self, entries: Sequence[Addressed]) -> list[int]:
        """All under way at once. Sizes are checked before anything is sent."""
        sizes = [self._catalogue.check_size(entry) for entry in entries]
        producer = self._current()
        window = Window(IN_FLIGHT, DELIVERY / 1000 + 1)
        try:
            for entry, size in zip(entries, sizes, strict=True):
                window.add(send(producer, self._catalogue, entry), size)
            return window.settle()
        except KafkaError as error:
            self._discard(producer)
            places = sorted({f"{entry.topic}/{entry.partition}" for entry in entries})
            raise translated(error, f"append to {', '.join(places)}") from error

    def close(self) -> None:
        if self._producer is not None:
            self._discard(self._producer)

    def _current(self) -> Any:
        with self._lock:
            if self._producer is None:
                self._producer = clients.producer(
                    self._connection, delivery_timeout_ms=DELIVERY, request_timeout_ms=10_000, max_block_ms=10_000
                )
            return self._producer

    def _discard(self, producer: Any) -> None:
        with self._lock:
            if self._producer is producer:
                self._producer = None
        clients.discard_producer(producer)


def send(producer: Any, catalogue: Catalogue, entry: Addressed) -> Any:
    """Hands one message to the library; its future."""
    place = catalogue.check(entry.topic, entry.partition)
    headers = to_wire(entry.headers, catalogue.wire_name)
    return producer.send(
        place.topic, partition=place.partition, key=entry.key.encode(), value=entry.value, headers=headers
    )
