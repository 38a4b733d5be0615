"""`TransactionalProducer`: the `Producer` port. One instance is one epoch of its transactional id.

What it adds to the library's producer:

* Every append's outcome is known before offsets are covered and before the commit (K1).
* After any error the instance is dead and says so; its thread is stopped, not left to deliver later (K2, K7, K9).
* A connection lost during a transaction wears the instance out. The library sends again what was under way on it,
  and late copies of that could end, or move the offsets of, the *next* transaction of the same epoch (KIP-890 closes
  this for newer clients; Jepsen's analysis of Bufstream 0.1.0 reproduced it).
* Calls without a time-out run under a `Watchdog`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka.errors import KafkaError
from kafka.structs import ConsumerGroupMetadata, OffsetAndMetadata, TopicPartition

from shared.adapters.kafka import clients
from shared.adapters.kafka.appender import IN_FLIGHT, send
from shared.adapters.kafka.catalogue import Catalogue
from shared.adapters.kafka.connection import Connection
from shared.adapters.kafka.errors import translated
from shared.adapters.kafka.watchdog import Watchdog
from shared.adapters.kafka.window import Window
from shared.runtime.ports import Addressed, Fenced, Indefinite, LogError, Membership, Place

TRANSACTION = 10_000
"""Milliseconds after which the coordinator aborts what its producer left open. It also holds readers back that long."""
WATCHED = 20.0
"""Seconds for a call without a time-out: by then the coordinator has aborted whatever it was about."""


class TransactionalProducer:
    """``timeout`` is the transactions', in milliseconds.

    A commit returns when it is decided. Readers see it when the decision is written to each partition, a little later.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        catalogue: Catalogue,
        watchdog: Watchdog,
        timeout: int = TRANSACTION,
    ) -> None:
        self._connection = connection
        self._name = name
        self._catalogue = catalogue
        self._watchdog = watchdog
        self._patience = timeout / 1000
        self._open = False
        self._written: TopicPartition | None = None
        self._dead: LogError | None = None
        self._connections: dict[Any, Any] = {}
        self._worn = False
        self._producer = _producer(connection, name, timeout)
        with self._doing("take over transactional name"):
            self._producer.init_transactions()

    def begin(self) -> None:
        if self._open:
            raise LogError(f"producer {self._name!r} has a transaction open; commit or abort it first")
        with self._doing("begin a transaction of"):
            self._producer.begin_transaction()
        self._window = Window(IN_FLIGHT, self._patience)
        self._written = None
        self._worn = False
        self._open = True

    def append(self, topic: str, partition: int, key: str, value: bytes, headers: Mapping[str, str]) -> None:
        """Returns before the message is in the log; `cover` and `commit` wait for it and raise what befell it."""
        with self._within("append in a transaction of"):
            entry = Addressed(topic, partition, key, value, headers)
            size = self._catalogue.check_size(entry)
            self._written = self._catalogue.check(topic, partition)
            self._window.add(send(self._producer, self._catalogue, entry), size)

    def settle(self) -> None:
        """Waits until everything appended is in the log, undecided."""
        with self._within("append in a transaction of"):
            self._window.settle()

    def cover(self, membership: Membership, offsets: Mapping[Place, int]) -> None:
        """The generation is checked by the group's coordinator, in the transaction (KIP-447).

        Only when everything appended is in the log: whoever takes over joins first and looks for undecided messages
        then, so it either sees these or has made the generation old. Otherwise it could start from a state that this
        transaction is about to replace.

        The coordinator checks only what moves an offset. Without one to move, an offset is stored for a place that
        this transaction wrote to: nobody reads there from stored offsets.
        """
        self.settle()
        wire = {self._catalogue.check(*place): offset for place, offset in offsets.items()}
        if not wire and self._written is not None:
            wire = {self._written: 0}
        with self._within(f"cover offsets of group {membership.group!r} with"):
            if wire:
                self._producer.send_offsets_to_transaction(_committed(wire), self._metadata(membership))

    def commit(self) -> None:
        self.settle()
        with self._within("commit a transaction of"):
            self._producer.commit_transaction()
        self._ended()

    def abort(self) -> None:
        with self._within("abort a transaction of"):
            self._producer.abort_transaction()
        self._ended()

    def close(self, reason: LogError) -> None:
        """Nothing more comes of this instance; what it has open is aborted by its successor or by the time-out."""
        if self._dead is None:
            self._die(reason)

    @contextmanager
    def _within(self, doing: str) -> Iterator[None]:
        if self._dead is None and not self._open:
            raise LogError(f"producer {self._name!r} has no transaction open; begin one first")
        with self._doing(doing):
            yield

    @contextmanager
    def _doing(self, doing: str) -> Iterator[None]:
        if self._dead is not None:
            raise type(self._dead)(*self._dead.args)
        what = f"{doing} {self._name!r}"
        try:
            with self._watchdog.over(what):
                yield
            self._look_at_connections()
        except KafkaError as error:
            failure = translated(error, what)
            self._die(failure)
            raise failure from error

    def _ended(self) -> None:
        self._open = False
        if self._worn:
            self._die(Indefinite(f"producer {self._name!r} lost a connection in a transaction: get a new one"))

    def _look_at_connections(self) -> None:
        now = dict(self._producer._sender._client._manager._conns)
        self._worn = self._worn or any(now.get(node) is not known for node, known in self._connections.items())
        self._connections = now

    def _die(self, reason: LogError) -> None:
        self._dead = reason
        self._open = False
        clients.discard_producer(self._producer)

    def _metadata(self, membership: Membership) -> ConsumerGroupMetadata:
        group = self._connection.own_name(membership.group)
        return ConsumerGroupMetadata(group, membership.generation, membership.member)


def replaced(name: str) -> Fenced:
    return Fenced(f"producer {name!r} was replaced by a newer one in this process: stop using it")


def _producer(connection: Connection, name: str, timeout: int) -> Any:
    return clients.producer(
        connection,
        transactional_id=connection.own_name(name),
        transaction_timeout_ms=timeout,
        # A lost answer fails the call before the coordinator gives the transaction up, and isn't asked for again.
        request_timeout_ms=timeout,
        delivery_timeout_ms=timeout + 1_000,
        max_block_ms=max(timeout, 10_000),
        # A transaction that begins right after another has to ask again while the other's markers are written.
        retry_backoff_ms=10,
    )


def _committed(offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {place: OffsetAndMetadata(offset, "", -1) for place, offset in offsets.items()}
