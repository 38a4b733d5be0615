"""What reaches the core, and from where it is read on: each committed message, and no other, whatever Faust commits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.adapters.faust import FaustHost
from shared.events.topics import RECORDS_DEAD
from tests.integration.faust.hosting import CALM, in_thread, toy_host
from tests.integration.faust.toy import LEFT, PARTITIONS, RIGHT, World, home, world
from tests.waiting import until


@pytest.fixture
def made(broker: str) -> Iterator[World]:
    made = world(broker)
    yield made
    made.close()


def test_committed_messages_count_and_aborted_ones_never_happened(made: World, tmp_path: Path) -> None:
    with made.transactions() as transactions:
        transactions.write([(LEFT, "a", b"add 1"), (RIGHT, "b", b"add 2")])
        transactions.write([(LEFT, "a", b"add 100"), (RIGHT, "b", b"add 100")], abort=True)
        transactions.write([(LEFT, "a", b"add 3")])
        transactions.write([(LEFT, "a", b"add 100")], abort=True)
    with in_thread(toy_host(made.connection, tmp_path)) as host:
        until(lambda: host.handled >= 3, "three messages handled")
        until(lambda: not behind(host), "at rest, although the last offsets hold no message")
    assert {key: held.state.sums for key, held in made.states().items()} == {"a": {LEFT: 4}, "b": {RIGHT: 2}}
    assert sorted(made.outputs().values()) == [b"1", b"2", b"4"]


def test_what_cannot_be_handled_is_set_aside_and_the_rest_goes_on(
    made: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made.write(LEFT, "a", b"add 1", b"\xff\xfe no text", None, b"dance", b"add 2")
    made.write(LEFT, "a", b"add 1000", partition=(home("a") + 1) % PARTITIONS)
    made.write(LEFT, "\udcff", b"add 5", partition=0)
    with caplog.at_level(logging.ERROR), in_thread(toy_host(made.connection, tmp_path)) as host:
        until(lambda: host.handled >= 7, "all messages handled")
    letters = made.read(RECORDS_DEAD.name)
    assert [letter.value for letter in letters] == [b"\xff\xfe no text", b"", b"dance"]
    assert made.states()["a"].state.sums == {LEFT: 3}
    assert "its key belongs to partition" in caplog.text


def test_a_host_goes_on_where_its_states_end_wherever_the_group_stands(made: World, tmp_path: Path) -> None:
    made.write(LEFT, "a", b"add 1", b"add 2")
    with in_thread(toy_host(made.connection, tmp_path)) as host:
        until(lambda: host.handled >= 2, "two messages handled")
    assert made.committed("toy", LEFT, home("a")) == 2, "for tools that show lag"
    made.write(LEFT, "a", b"add 3", b"add 4")
    made.move_group("toy", LEFT, home("a"), 4)
    with in_thread(toy_host(made.connection, tmp_path)) as host:
        until(lambda: host.handled >= 2, "the two new messages handled")
    assert list(made.outputs().values()) == [b"1", b"3", b"6", b"10"]
    assert len(made.read("out")) == 4, "nothing was handled twice"


def test_idle_topics_of_a_busy_partition_are_not_read_again(made: World, tmp_path: Path) -> None:
    """A unit's own state says nothing of its neighbours, nor of those that never spoke: the partition's record does."""
    neighbours = [key for key in (f"unit-{n}" for n in range(30)) if home(key) == 0][:3]
    for key in neighbours:
        made.write(LEFT, key, b"add 1", b"add 1")
    with in_thread(toy_host(made.connection, tmp_path)) as host:
        until(lambda: host.handled >= 6, "six messages handled")
    made.write(RIGHT, neighbours[0], b"add 1")
    with in_thread(toy_host(made.connection, tmp_path)) as host:
        until(lambda: host.handled >= 1, "the new message handled")
    assert host.handled == 1
    assert made.states()[neighbours[2]].state.count == 2


def test_what_waits_is_told_per_topic(made: World, tmp_path: Path) -> None:
    # The watchdog looks eight times within its patience.
    with in_thread(toy_host(made.connection, tmp_path, timing=replace(CALM, patience=40.0))) as host:
        until(lambda: host.lag == {LEFT: 0, RIGHT: 0}, "nothing waits")
        asyncio.run_coroutine_threadsafe(host._handover.acquire(), host._app.loop).result(60)
        made.write(LEFT, "a", b"add 1", b"add 2", b"add 3")
        until(lambda: host.lag == {LEFT: 3, RIGHT: 0}, "three messages wait while no batch can begin")
        host._app.loop.call_soon_threadsafe(host._handover.release)
        until(lambda: host.lag == {LEFT: 0, RIGHT: 0}, "nothing waits again")


def behind(host: FaustHost) -> bool:
    """What the watchdog is told."""
    asked = asyncio.run_coroutine_threadsafe(host._app.reader.behind(), host._app.loop)
    return any(asked.result(60)[0].values())
