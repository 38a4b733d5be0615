"""The very host and worker of production on a live broker, in processes of their own, one of them killed."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from select import select

import pytest

from shared.adapters.memory import TopicSettings
from shared.runtime.core import Message
from shared.runtime.partitions import LANE, partition_of
from shared.runtime.ports import Addressed
from tests.integration.kafka.cluster import KafkaCluster, cluster
from tests.integration.kafka.relay_process import STOPPED
from tests.waiting import PATIENCE, until

PARTITIONS = 4
PLAIN, COMPACTED = TopicSettings(PARTITIONS), TopicSettings(PARTITIONS, compacted=True)
TOPICS = {"in": PLAIN, "out": PLAIN, "sums": PLAIN, "settings": COMPACTED, "snapshots.relay": COMPACTED}
ROOT = Path(__file__).parents[3]


@pytest.fixture
def real(broker: str) -> Iterator[KafkaCluster]:
    with cluster(broker, TOPICS) as started:
        yield started


@contextmanager
def process(real: KafkaCluster, name: str, *commits: str) -> Iterator[subprocess.Popen[str]]:
    arguments = (real.connection.bootstrap, real.connection.prefix, name, *commits)
    command = [sys.executable, "-W", "ignore", "-m", "tests.integration.kafka.relay_process", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def feed(real: KafkaCluster, numbers: range) -> None:
    lanes = ((number, number % PARTITIONS) for number in numbers)
    entries = [
        Addressed("in", partition_of("p", lane, PARTITIONS), "p", b"%d" % number, {LANE: str(lane)})
        for number, lane in lanes
    ]
    real.log.append_all(entries)


def everything(real: KafkaCluster, topic: str) -> list[Message]:
    return [message for partition in range(PARTITIONS) for message in real.log.read(topic, partition, 0, 10_000)]


def relayed(real: KafkaCluster) -> int:
    """A transaction's end is written to one topic after the other."""
    return min(len(everything(real, topic)) for topic in ("out", "sums"))


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert select([process.stdout], [], [], PATIENCE)[0], "the process says nothing"
    return process.stdout.readline().strip()


def test_a_process_killed_in_a_transaction_loses_nothing_and_repeats_nothing(real: KafkaCluster) -> None:
    feed(real, range(100))
    with ExitStack() as running:
        doomed = running.enter_context(process(real, "doomed", "3"))
        assert first_line(doomed) == STOPPED
        running.enter_context(process(real, "other"))
        doomed.kill()
        feed(real, range(100, 200))
        until(lambda: relayed(real) >= 200)
    assert_each_input_was_relayed_once(real)


def test_two_processes_share_the_work_and_one_leaves_in_the_middle(real: KafkaCluster) -> None:
    with ExitStack() as running:
        first = running.enter_context(process(real, "first"))
        running.enter_context(process(real, "second"))
        for start in range(0, 300, 30):
            feed(real, range(start, start + 30))
            until(lambda start=start: relayed(real) >= start)
            if start == 150:
                first.kill()
        until(lambda: relayed(real) >= 300)
    assert_each_input_was_relayed_once(real)


def assert_each_input_was_relayed_once(real: KafkaCluster) -> None:
    """And every lane was counted without a gap: the state went with the messages that made it."""
    inputs = {f"{message.topic}/{message.partition}@{message.offset}" for message in everything(real, "in")}
    for topic in ("out", "sums"):
        causes = [message.headers["cause"] for message in everything(real, topic)]
        assert len(causes) == len(set(causes))
        assert len(causes) == len(inputs)
    counts: dict[str, list[int]] = defaultdict(list)
    for message in everything(real, "out"):
        counts[message.headers[LANE]].append(int(message.value))
    assert all(lane == list(range(1, len(lane) + 1)) for lane in counts.values())
