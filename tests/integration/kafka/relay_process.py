"""A process that runs the toy relay over Kafka until it is killed.

``python -m tests.integration.kafka.relay_process ADDRESS PREFIX NAME [COMMITS]``: after that many commits it stops in
the middle of a transaction, says so, and stays there.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from threading import Event

from services.embedded.simulation.toy import Relay
from shared.adapters.kafka import Connection, KafkaGroups, KafkaLog, TransactionalProducer
from shared.adapters.memory import MemoryBlobs
from shared.runtime.blobs import BlobReader
from shared.runtime.hosts import LogHost
from shared.runtime.ports import LogError
from shared.runtime.worker import Worker
from tests.integration.kafka.cluster import QUICK

TRANSACTION = 2_000
MORTAL = replace(QUICK, session=5_000)
"""Its work is taken over soon after it was killed."""
LANE_TOPICS = frozenset({"in", "out", "sums"})
STOPPED = "stopped in a transaction"


class StoppingLog(KafkaLog):
    """Its producers stop at one of their commits, with everything appended and covered."""

    def __init__(self, connection: Connection, commits: int) -> None:
        super().__init__(connection, TRANSACTION)
        self._left = commits

    def producer(self, name: str) -> TransactionalProducer:
        producer = super().producer(name)
        commit = producer.commit

        def stopping() -> None:
            self._left -= 1
            if self._left == 0:
                print(STOPPED, flush=True)
                Event().wait()
            commit()

        producer.commit = stopping  # type: ignore[method-assign]
        return producer


def run(address: str, prefix: str, name: str, commits: int) -> None:
    connection = Connection(address, prefix)
    log, groups = StoppingLog(connection, commits), KafkaGroups(connection, MORTAL)
    relay = Relay()
    host = LogHost(
        relay,
        log,
        groups,
        member=name,
        transactional=name,
        start=lambda _: None,
        answer=lambda _: None,
        atomic=True,
    )
    worker = Worker(relay, log, BlobReader(MemoryBlobs()), host, lane_topics=LANE_TOPICS, batch=8)
    while True:
        try:
            worker.open()
            turn(worker, log)
        except LogError as error:
            print(f"opens again: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            Event().wait(0.1)


def turn(worker: Worker, log: KafkaLog) -> None:
    followed: tuple[object, ...] = ()
    while True:
        if worker.places() != followed:
            followed = worker.places()
            log.follow(worker.places())
        if not worker.step():
            log.wait(0.05)


if __name__ == "__main__":
    run(*sys.argv[1:4], int(sys.argv[4]) if len(sys.argv) > 4 else 0)
