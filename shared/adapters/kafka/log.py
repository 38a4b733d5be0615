"""`KafkaLog`: the `Log` port on a Kafka cluster.

**Two ways to read.** A place is read by the `Scanner` until its end was seen once: definitive, one question to the
broker per answer of nothing. Places that the process stays on (`follow`) are then handed to the `Follower`: what has
arrived is there, nothing costs a question, and an empty answer means "nothing has arrived yet". Going back in such a
place, or reading after an append of one's own, is definitive again. So is every read of a place that isn't followed:
stored states, the frozen ranges of a job.

**Time.** `now` is this machine's clock, an estimate of what the broker would stamp. It only ever fires timers; what
they lead to is decided by the append times of the ledger, which the broker stamps alone (``LogAppendTime``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from time import time

from kafka.structs import TopicPartition

from shared.adapters.kafka.appender import Appender
from shared.adapters.kafka.catalogue import Catalogue
from shared.adapters.kafka.connection import Connection
from shared.adapters.kafka.follower import Follower
from shared.adapters.kafka.producer import TRANSACTION, WATCHED, TransactionalProducer, replaced
from shared.adapters.kafka.scanner import Scanner
from shared.adapters.kafka.stalls import StallDetector
from shared.adapters.kafka.watchdog import Watchdog, end_process
from shared.runtime.core import Message
from shared.runtime.ports import Addressed, LogError, Place


class KafkaLog:
    """One thread reads and works with transactions; any thread may append, and ask for offsets.

    ``transaction`` is the time-out of its transactions in milliseconds. ``overrun`` is what happens when a call that
    can't be given up isn't answered within ``watched`` seconds; it is told what was being done.
    """

    def __init__(
        self,
        connection: Connection,
        transaction: int = TRANSACTION,
        watched: float = WATCHED,
        overrun: Callable[[str], None] = end_process,
    ) -> None:
        self._connection = connection
        self._transaction = transaction
        self._catalogue = Catalogue(connection)
        self._appender = Appender(connection, self._catalogue)
        self._scanner = Scanner(connection, self._catalogue)
        self._follower = Follower(connection)
        self._stalls = StallDetector(self._follower.lagging)
        self._watchdog = Watchdog(watched, overrun)
        self._producers: dict[str, TransactionalProducer] = {}
        self._followed: dict[Place, TopicPartition] = {}
        self._written: set[Place] = set()
        self.partitions = self._catalogue.partitions
        self.start_offset = self._catalogue.start_offset
        self.end_offset = self._catalogue.stable_offset
        self.wait = self._follower.wait
        self.stalled = self._stalls.stalled

    def now(self) -> int:
        return int(time() * 1000)

    def append(self, topic: str, partition: int, key: str, value: bytes, headers: Mapping[str, str]) -> int:
        return self.append_all([Addressed(topic, partition, key, value, headers)])[0]

    def append_all(self, entries: Sequence[Addressed]) -> list[int]:
        offsets = self._appender.append_all(entries)
        self._written |= {(entry.topic, entry.partition) for entry in entries} & self._followed.keys()
        return offsets

    def follow(self, places: Iterable[Place]) -> None:
        """The places that this process stays on from now on, and no others."""
        self._followed = {place: self._catalogue.check(*place) for place in places}
        self._written &= set(self._followed)
        self._follower.keep(self._followed.values())

    def read(self, topic: str, partition: int, offset: int, limit: int) -> list[Message]:
        place = (topic, partition)
        wire = self._followed.get(place)
        if wire is not None and self._arrives(place, wire, offset):
            return self._follower.take(wire, offset, limit)
        found = self._scanner.read(place, offset, limit)
        if wire is not None and not found and not self._follower.serves(wire, offset):
            self._follower.start(wire, place, offset)
        return found

    def settled(self, topic: str, partition: int) -> bool:
        """The later look at the stable offset may only be too high for what lay there at the first."""
        last = self._catalogue.high_watermark(topic, partition)
        return self._catalogue.stable_offset(topic, partition) >= last

    def producer(self, name: str) -> TransactionalProducer:
        if name in self._producers:
            self._producers.pop(name).close(replaced(name))
        self._producers[name] = TransactionalProducer(
            self._connection, name, self._catalogue, self._watchdog, self._transaction
        )
        return self._producers[name]

    def close(self) -> None:
        """What was not acknowledged is given up."""
        for producer in self._producers.values():
            producer.close(LogError("the log was closed"))
        for part in (self._appender, self._scanner, self._follower, self._catalogue, self._watchdog):
            part.close()

    def _arrives(self, place: Place, wire: TopicPartition, offset: int) -> bool:
        """Whether the follower's word is good enough."""
        if not self._follower.serves(wire, offset):
            return False
        if place in self._written and not self._follower.holds(wire, offset):
            self._written.discard(place)
            return False
        return True
