"""Where the states live, and from where the inputs are read on.

**One record per unit, one per partition.**  The snapshot topic has the partitions of the inputs.  Its partition p keeps
the latest `Held` of each unit that lives there, under the unit's name, and under `POSITIONS` the offset to read next in
partition p of each input topic.  A unit's own record couldn't say that: it knows its own last message only, and a
pipeline that has not spoken yet has no record.

**Nothing is skipped.**  What a batch changed in a partition, states and positions, becomes visible in one transaction.
So what is read back is one cut: each message below a position has gone into the states beside it.  Those above are
handled again, and what they append a second time carries the ids that it had the first time.

**Re-reading is bounded** by the batch under way: positions are saved with every batch, also where no state moved.

**One writer at a time.**  Each partition has a transactional id.  Taking a partition over begins a new epoch of it,
which aborts the last owner's open transaction and refuses all its later ones; only then is the topic read.  So a
process that was paused past its session, or cut off, can't lay an older state over a newer one: it is refused, and
exits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.adapters.faust.settings import Timing, client_settings, milliseconds
from shared.adapters.kafka.connection import Connection
from shared.runtime.advance import Held
from shared.runtime.codec import decode, encode
from shared.runtime.core import Core, Unit
from shared.runtime.hosts import snapshots_of
from shared.runtime.ports import Place

POSITIONS = "@positions"
"""No pipeline may be called this."""
LARGEST = 64 << 20
"""Bytes of one state, as high as the client's own limit may be; the topic's is the one that counts."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Of one partition: input topic -> offset to read next."""

    following: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Cut:
    """What was stored, as of one moment."""

    held: dict[Unit, Held[Any]] = field(default_factory=dict)
    positions: dict[Place, int] = field(default_factory=dict)


class States:
    """The owned partitions of a core's snapshot topic."""

    def __init__(self, core: Core[Any], connection: Connection, timing: Timing) -> None:
        self._name = core.name
        self._connection = connection
        self._timing = timing
        self._topic = connection.wire_name(snapshots_of(core))
        self._kind = cast(Any, Held)[core.state_type]
        self._writers: dict[int, AIOKafkaProducer] = {}

    async def open(self, partitions: Iterable[int]) -> Cut:
        """Takes the partitions over, then reads them. Of more members than partitions, some have none."""
        owned = sorted(partitions)
        self._writers = {partition: self._writer(partition) for partition in owned}
        await asyncio.gather(*(writer.start() for writer in self._writers.values()))
        return await self._read([TopicPartition(self._topic, partition) for partition in owned]) if owned else Cut()

    async def save(self, partition: int, held: Mapping[Unit, Held[Any]], following: Mapping[str, int]) -> None:
        """Returns when all of it is safe. Raises where another owner has taken over."""
        records = {unit.pipeline: encode(state, self._kind) for unit, state in held.items()}
        records[POSITIONS] = encode(Positions(following))
        writer = self._writers[partition]
        async with writer.transaction():
            sent = [
                await writer.send(self._topic, value, key=key.encode(), partition=partition)
                for key, value in records.items()
            ]
            await asyncio.gather(*sent)

    async def close(self) -> None:
        writers, self._writers = self._writers, {}
        await asyncio.gather(*(writer.stop() for writer in writers.values()))

    def _writer(self, partition: int) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **client_settings(self._connection),
            transactional_id=self._connection.own_name(f"{self._name}.{partition}"),
            transaction_timeout_ms=milliseconds(self._timing.transaction),
            max_request_size=LARGEST,
        )

    async def _read(self, places: list[TopicPartition]) -> Cut:
        latest: dict[tuple[int, str], bytes] = {}
        async with self._reader() as reader:
            reader.assign(places)
            await reader.seek_to_beginning(*places)
            ends = await reader.end_offsets(places)
            while any([await reader.position(place) < ends[place] for place in places]):
                for place, records in (await reader.getmany(timeout_ms=100)).items():
                    latest.update({(place.partition, record.key.decode()): record.value for record in records})
        return self._decoded(latest)

    def _reader(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            **client_settings(self._connection),
            isolation_level="read_committed",
            enable_auto_commit=False,
            max_partition_fetch_bytes=LARGEST,
            fetch_max_wait_ms=50,  # at the end of a partition there is nothing to wait for
        )

    def _decoded(self, latest: Mapping[tuple[int, str], bytes]) -> Cut:
        """Only now: most records that are read have been superseded, and decoding takes longer than reading."""
        cut = Cut()
        for (partition, key), value in latest.items():
            if key == POSITIONS:
                following = decode(Positions, value).following
                cut.positions.update({(topic, partition): offset for topic, offset in following.items()})
            else:
                cut.held[Unit(key)] = decode(self._kind, value)
        return cut
