"""Faust's Kafka driver where its defaults lose or invent data: each override says what would happen without it.

Written against faust-streaming 0.15.3 on aiokafka 0.14; ``tests/integration/faust`` runs every claim on a live broker.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import aiokafka
import faust
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faust.transport.drivers import aiokafka as stock
from faust.types import TP

from shared.adapters.faust.settings import REQUEST_SECONDS, Timing, client_settings, milliseconds
from shared.adapters.kafka.connection import Connection
from shared.runtime.ports import LogError

LARGEST = 5 << 20
"""Bytes of one message, sent or fetched: the largest that any topic declares, and room for its headers."""


class App(faust.App):
    """``positions``: where each place is read on. The host writes it, the driver goes there."""

    def __init__(self, group: str, connection: Connection, timing: Timing) -> None:
        self.connection = connection
        self.timing = timing
        self.positions: dict[TP, int] = {}
        super().__init__(group, **_settings(connection, timing))

    @property
    def reader(self) -> Reader:
        return cast(Reader, self.consumer)

    @property
    def writer(self) -> Writer:
        return cast(Writer, self.producer)

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """Nothing is kept on disk: a container's root may be read-only."""


class ReaderThread(stock.AIOKafkaConsumerThread):
    """Reads committed messages only, and the same partition numbers of each topic."""

    app: App

    def _create_worker_consumer(self, transport: object) -> aiokafka.AIOKafkaConsumer:  # noqa: ARG002
        """Stock: uncommitted records too, so that a profile whose transaction was aborted would be judged; and the
        round-robin assignor, which gives a pipeline's topics to different members, so that its state would be torn.
        """
        timing = self.app.timing
        return aiokafka.AIOKafkaConsumer(
            **client_settings(self.app.connection),
            group_id=self.app.conf.id,
            isolation_level="read_committed",
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            # The host seeks before it reads; this is for a place that retention deletes meanwhile.
            auto_offset_reset="earliest",
            max_poll_records=500,
            max_partition_fetch_bytes=LARGEST,
            session_timeout_ms=milliseconds(timing.session),
            heartbeat_interval_ms=milliseconds(timing.session / 10),
            rebalance_timeout_ms=milliseconds(timing.rebalance),
            max_poll_interval_ms=milliseconds(timing.patience * 2),
        )


class Reader(stock.Consumer):
    """Goes where the stored states say, whatever Faust believes to have been acknowledged.

    ``delivered``: per place, where the last message that was handed out ends; it's in flight until the host gets there.
    """

    app: App

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.delivered: dict[TP, int] = {}
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> ReaderThread:
        return ReaderThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Stock: to the group's committed offsets, which run ahead of failed and of unfinished events."""
        owned = self.assignment()
        self.delivered.clear()
        await self.seek_wait({place: offset for place, offset in self.app.positions.items() if place in owned})

    def _to_message(self, tp: TP, record: Any) -> Any:
        self.delivered[tp] = record.offset + 1
        return super()._to_message(tp, record)

    def _new_offset(self, tp: TP) -> int | None:
        """What is committed to the group is for tools that show lag; nothing here reads it back.

        Stock: skips over events that are not acknowledged yet, and acknowledges those whose handler failed.
        """
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self.app.positions.get(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Stock: remembers each gap that a transaction leaves, and takes the record behind it for done."""

    async def behind(self) -> tuple[dict[TP, int], tuple[int, ...]]:
        """Per place, the offsets that wait to be fetched or handled; and how far fetching has come.

        The end is the last stable offset, and fetching passes over markers and aborted records: at rest both meet.
        """
        owned = sorted(self.assignment())
        ends = await self.highwaters(*owned) if owned else {}
        fetched = {place: await self.position(place) or 0 for place in owned}
        behind = {place: max(0, ends[place] - self._done(place, fetched[place])) for place in owned}
        return behind, tuple(fetched.values())

    def _done(self, place: TP, fetched: int) -> int:
        handled = self.app.positions.get(place, fetched)
        return handled if self.delivered.get(place, 0) > handled else fetched


class Writer(stock.Producer):
    """Each append is written once and by all replicas, or its acknowledgement fails."""

    app: App

    def _new_producer(self, transactional_id: str | None = None) -> aiokafka.AIOKafkaProducer:  # noqa: ARG002
        """Stock: not idempotent, so that a retry may write twice and out of order."""
        return aiokafka.AIOKafkaProducer(
            **client_settings(self.app.connection), acks="all", enable_idempotence=True, max_request_size=LARGEST
        )

    async def partition_count(self, topic: str) -> int:
        """Of a topic on the wire. A missing one looks like one that the brokers have not told each other of yet."""
        seconds = self.app.timing.rebalance / 4
        try:
            async with asyncio.timeout(seconds):
                return len(await self._ensure_producer().partitions_for(topic))
        except TimeoutError:
            raise LogError(f"no word of a topic {topic} for {seconds:g} s; were the topics created?") from None


class Transport(stock.Transport):
    Consumer = Reader
    Producer = Writer


def _settings(connection: Connection, timing: Timing) -> dict[str, Any]:
    return {
        "broker": [f"kafka://{server}" for server in connection.bootstrap.split(",")],
        "broker_session_timeout": timing.session,
        "broker_request_timeout": REQUEST_SECONDS,
        "broker_rebalance_timeout": timing.rebalance,
        # The batch under way ends before its partition is handed over.
        "stream_wait_empty": True,
        "stream_buffer_maxsize": 256,
        # Topics are the init job's; a leader topic would be one that nobody declared.
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        # The service's own endpoints answer for it; two processes on one host would collide on Faust's port.
        "web_enabled": False,
    }
