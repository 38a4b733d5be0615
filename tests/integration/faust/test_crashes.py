"""Hosts that are killed, paused and joined while they work: every output right, every state right."""

from __future__ import annotations

import asyncio
import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from aiokafka.errors import ProducerFenced

from shared.adapters.faust import FAILED
from shared.adapters.faust.states import States
from shared.runtime.advance import Held
from shared.runtime.core import Unit
from tests.integration.faust.hosting import QUICK, Process
from tests.integration.faust.toy import LEFT, OUT, RIGHT, Tally, Toy, World, world
from tests.waiting import until

UNITS = [f"unit-{number}" for number in range(7)]
TRANSACTIONS, SIZE = 12, 100
"""Of one round."""


@pytest.fixture
def made(broker: str) -> Iterator[World]:
    made = world(broker)
    yield made
    made.close()


@pytest.fixture
def pair(made: World, tmp_path: Path) -> Iterator[list[Process]]:
    hosts = [Process(made, tmp_path, name=name).start() for name in ("first", "second")]
    yield hosts
    for host in hosts:
        if host.alive():
            host.signal(signal.SIGCONT)
            host.kill()


def test_two_hosts_under_kill_9_and_pauses(made: World, pair: list[Process]) -> None:
    """The group changes hands five times, each time with work under way."""
    for number, harm in enumerate((kill, kill, pause, kill, pause)):
        write_round(made, number, pair, then=50)
        harm(made, *(pair if number % 2 == 0 else reversed(pair)))
    until(lambda: all_handled(made, *pair), "all inputs handled")
    assert made.outputs() == outputs_of(made)
    # Outputs are there before the states that go with them.
    until(lambda: all_handled(made, *pair) and stored(made) == states_of(made), "every state is right")
    assert {host.stop() for host in pair} <= {0, FAILED}


def test_a_paused_host_cannot_lay_an_old_state_over_a_new_one(made: World) -> None:
    old, new = Held(Tally(1), {"left/0": 1}), Held(Tally(2), {"left/0": 2})

    async def scenario() -> None:
        paused, successor, third = (States(Toy(), made.connection, QUICK) for _ in range(3))
        await paused.open([0])
        await successor.open([0])
        await successor.save(0, {Unit("a"): new}, {LEFT: 2})
        with pytest.raises(ProducerFenced):
            await paused.save(0, {Unit("a"): old}, {LEFT: 1})
        cut = await third.open([0])
        assert (cut.held, cut.positions) == ({Unit("a"): new}, {(LEFT, 0): 2})
        await asyncio.gather(*(each.close() for each in (paused, successor, third)))

    asyncio.run(scenario())


def test_states_and_positions_are_one_cut(made: World) -> None:
    """Of what was not committed when its writer vanished nothing is there, and taking over does not wait for it."""

    async def scenario() -> None:
        vanished, successor = (States(Toy(), made.connection, QUICK) for _ in range(2))
        await vanished.open([0, 1])
        await vanished.save(0, {Unit("a"): Held(Tally(1))}, {LEFT: 1})
        writer = vanished._writers[0]
        await writer.begin_transaction()
        await writer.send_and_wait(made.connection.wire_name("snapshots.toy"), b"half", key=b"a", partition=0)
        cut = await successor.open([0, 1])
        assert (cut.held, cut.positions) == ({Unit("a"): Held(Tally(1))}, {(LEFT, 0): 1})
        await asyncio.gather(vanished.close(), successor.close())

    asyncio.run(scenario())


def kill(made: World, host: Process, other: Process) -> None:
    host.kill()
    host.start()


def pause(made: World, host: Process, other: Process) -> None:
    """Past its session, until the other has done the work; then it finds itself refused, or empty-handed."""
    host.kept_alive().signal(signal.SIGSTOP)
    until(lambda: all_handled(made, other), "the other took over")
    host.signal(signal.SIGCONT)


def stored(made: World) -> dict[str, Tally]:
    return {unit: held.state for unit, held in made.states().items()}


def all_handled(made: World, *hosts: Process) -> bool:
    for host in hosts:
        host.kept_alive()
    return made.outputs().keys() == outputs_of(made).keys()


def write_round(made: World, number: int, pair: list[Process], *, then: int) -> None:
    """In transactions, every fourth of them aborted, so that the offsets have gaps everywhere.

    Returns when ``then`` new outputs are there: work is under way.
    """
    random, before = Random(number), len(made.read(OUT))
    with made.transactions() as transactions:
        for each in range(TRANSACTIONS):
            messages = [
                (random.choice((LEFT, RIGHT)), random.choice(UNITS), b"add %d" % random.randrange(100))
                for _ in range(SIZE)
            ]
            transactions.write(messages, abort=each % 4 == 3)
    until(lambda: all(host.kept_alive() for host in pair) and len(made.read(OUT)) > before + then, "work is under way")


def outputs_of(made: World) -> dict[str, bytes]:
    """What the committed inputs have to lead to, folded by the test itself."""
    sums: dict[tuple[str, bytes], int] = defaultdict(int)
    outputs = {}
    for topic in (LEFT, RIGHT):
        for record in made.read(topic):
            sums[topic, record.key] += int(record.value.split()[1])
            outputs[f"{topic}/{record.partition}/{record.offset}"] = str(sums[topic, record.key]).encode()
    return outputs


def states_of(made: World) -> dict[str, Tally]:
    counts: dict[str, int] = defaultdict(int)
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for topic in (LEFT, RIGHT):
        for record in made.read(topic):
            unit = record.key.decode()
            counts[unit] += 1
            sums[unit][topic] += int(record.value.split()[1])
    return {unit: Tally(counts[unit], dict(sums[unit])) for unit in counts}
