"""The same claims made of stock Faust, which breaks them: why each override exists, and proof that the tests can fail.

When one of these fails after an upgrade, the defect is gone, and its override may go too.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faust
import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from tests.integration.faust.hosting import in_thread, toy_host
from tests.integration.faust.toy import LEFT, OUT, RIGHT, World, home, world
from tests.waiting import until


@dataclass
class Stock:
    """What a plain agent saw: ``add 1``, an aborted ``add 2``, ``boom`` (it fails), ``add 3``, ``hold`` (it waits)."""

    made: World
    seen: list[bytes] = field(default_factory=list)
    decoded: list[object] = field(default_factory=list)

    async def agent(self, stream: Any) -> None:
        async for event in stream.events():
            self.seen.append(event.value)
            if event.value == b"boom":
                raise ValueError("boom")
            if event.value == b"hold":
                await asyncio.sleep(3600)
            wire = self.made.connection.wire_name(OUT)
            await (await event.app.producer.send(wire, b"a", b"said", home("a"), None, None))

    async def decoding(self, stream: Any) -> None:
        async for event in stream.events():
            self.decoded.append(event.value)

    def committed(self, topic: str = LEFT) -> int | None:
        return self.made.committed("stock", topic, home("a"))


@pytest.fixture(scope="module")
def stock(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    stock = Stock(world(broker))
    with stock.made.transactions() as transactions:
        transactions.write([(LEFT, "a", b"add 1")])
        transactions.write([(LEFT, "a", b"add 2")], abort=True)
        transactions.write([(LEFT, "a", b"boom"), (LEFT, "a", b"add 3")])
    stock.made.write(RIGHT, "a", b"{no json", b'{"add": 1}')
    with running(stock, tmp_path_factory.mktemp("faust")) as app:
        until(lambda: b"add 3" in stock.seen, "all of it read")
        until(lambda: stock.committed() == 6, "committed up to the end")
        stock.made.write(LEFT, "a", b"hold")
        until(lambda: b"hold" in stock.seen, "an event is under way")
        for actor in list(app.agents["stock"]._actors):
            app.loop.call_soon_threadsafe(actor.actor_task.cancel)
        until(lambda: stock.committed() == 8, "committed past it")
        until(lambda: stock.committed(RIGHT) == 2, "committed, decoded or not")
    yield stock
    stock.made.close()


def test_stock_reads_what_was_aborted(stock: Stock) -> None:
    assert b"add 2" in stock.seen


def test_stock_loses_what_its_agent_failed_on_and_what_was_cancelled(stock: Stock) -> None:
    """Committed, never handled, never seen again."""
    assert [value for value in stock.seen if value in (b"boom", b"hold")] == [b"boom", b"hold"]
    assert stock.committed() == 8


def test_stock_drops_what_it_can_not_decode(stock: Stock) -> None:
    """Acknowledged before anybody saw it; `test_reading` has what ours makes of it."""
    assert stock.decoded == [{"add": 1}]


def test_stock_writes_without_sequence_numbers_and_we_with(stock: Stock, tmp_path: Path) -> None:
    assert len(stock.made.read(OUT)) > 0
    assert stock.made.idempotent_writers(OUT) == 0
    with in_thread(toy_host(stock.made.connection, tmp_path)) as host:
        until(lambda: host.handled > 0, "ours has written too")
    assert stock.made.idempotent_writers(OUT) == 1


def test_stock_tears_units_apart_and_we_do_not() -> None:
    """Which of two members gets which partitions of two topics."""
    assert torn(RoundRobinPartitionAssignor)
    assert not torn(RangePartitionAssignor)


def torn(assignor: Any) -> bool:
    cluster = ClusterMetadata()
    for topic in (LEFT, RIGHT):
        cluster._partitions[topic] = dict.fromkeys(range(3))
    members = {member: assignor.metadata([LEFT, RIGHT]) for member in ("one", "two")}
    given = assignor.assign(cluster, members).values()
    return any(len({tuple(partitions) for _, partitions in each.assignment}) > 1 for each in given)


@contextmanager
def running(stock: Stock, folder: Path) -> Iterator[faust.App]:
    """A plain app on a thread of its own."""
    connection = stock.made.connection
    app = faust.App(
        connection.own_name("stock"),
        broker=f"kafka://{connection.bootstrap}",
        datadir=folder,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        broker_commit_interval=0.2,
    )
    left = app.topic(connection.wire_name(LEFT), value_type=bytes, value_serializer="raw")
    app.agent(left, name="stock")(stock.agent)
    right = app.topic(connection.wire_name(RIGHT), value_serializer="json")
    app.agent(right, name="decoding")(stock.decoding)
    stop = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve(app, stop)), daemon=True)
    thread.start()
    try:
        yield app
    finally:
        stop.set()
        thread.join(120)


async def serve(app: faust.App, stop: threading.Event) -> None:
    app.loop = asyncio.get_running_loop()
    app.finalize()
    await app.start()
    await asyncio.to_thread(stop.wait)
    await app.stop()
