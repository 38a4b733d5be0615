"""Reading from a live broker: definitively, and what has arrived of the places that a process stays on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from time import monotonic

import pytest
from kafka.structs import TopicPartition

from shared.adapters.kafka import KafkaLog, follower
from shared.adapters.memory import TopicSettings
from shared.runtime.core import Message
from shared.runtime.ports import Addressed, OffsetOutOfRange
from tests.integration.kafka import stock
from tests.integration.kafka.cluster import KafkaCluster, cluster
from tests.waiting import until

TOPICS = {"here": TopicSettings(2), "there": TopicSettings(1)}


@pytest.fixture
def real(broker: str) -> Iterator[KafkaCluster]:
    with cluster(broker, TOPICS) as started:
        yield started


@pytest.fixture
def other(real: KafkaCluster) -> Iterator[KafkaLog]:
    """Another process's log."""
    with closing(KafkaLog(real.connection)) as log:
        yield log


def say(log: KafkaLog, *values: bytes, topic: str = "here", partition: int = 0) -> list[int]:
    return log.append_all([Addressed(topic, partition, "p", value, {}) for value in values])


def follow(log: KafkaLog, *places: tuple[str, int]) -> None:
    """Until each was read to its end."""
    log.follow(places)
    for place in places:
        rest(log, *place)


def rest(log: KafkaLog, topic: str = "here", partition: int = 0, offset: int = 0) -> list[Message]:
    found: list[Message] = []
    while more := log.read(topic, partition, offset, 7):
        found += more
        offset = more[-1].offset + 1
    return found


def arrived(log: KafkaLog, offset: int, topic: str = "here") -> list[bytes]:
    """What comes when a loop waits for it."""
    deadline = monotonic() + 180
    while not (found := rest(log, topic, 0, offset)) and monotonic() < deadline:
        log.wait(60)
    return [message.value for message in found]


# K4: bytes that nobody can decode


def test_stock_spins_for_ever_after_a_record_that_it_could_not_decode(real: KafkaCluster) -> None:
    say(real.log, b"not json")
    polling = (
        "import json\n"
        "from kafka import KafkaConsumer, TopicPartition\n"
        f"c = KafkaConsumer(bootstrap_servers={real.connection.bootstrap!r}, value_deserializer=json.loads)\n"
        f"place = TopicPartition({real.connection.wire_name('here')!r}, 0)\n"
        "c.assign([place]); c.seek(place, 0)\n"
        "try:\n"
        "    c.poll(120_000)\n"
        "except ValueError:\n"
        "    print('failed once', flush=True)\n"
        "c.poll(100)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", polling]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "failed once\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.kill()


def test_a_foreign_record_of_any_bytes_is_read_and_those_behind_it(real: KafkaCluster) -> None:
    foreign = f"{real.connection.prefix}-orders"
    real.client.create_topics({foreign: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    with stock.producer(real.connection.bootstrap) as producer:
        producer.send(foreign, key=b"\xff\xfe", value=None, headers=[("h", b"\xc3\x28")], partition=0).get(60)
        producer.send(foreign, value=b"\x80{", partition=0).get(60)
    strange, plain = real.log.read(f"={foreign}", 0, 0, 10)
    assert (strange.topic, strange.key, strange.value, strange.headers) == (f"={foreign}", "��", b"", {"h": "�("})
    assert (plain.key, plain.value) == ("", b"\x80{")


# Definitive


def test_what_another_process_appended_before_a_read_is_found_by_it(real: KafkaCluster, other: KafkaLog) -> None:
    for number in range(20):
        assert real.log.read("here", 0, number, 10) == []
        say(other, b"%d" % number)
        assert [message.value for message in real.log.read("here", 0, number, 10)] == [b"%d" % number]


def test_places_are_read_by_turns_without_a_loss(real: KafkaCluster) -> None:
    for partition in (0, 1):
        say(real.log, *(b"%d" % number for number in range(50)), partition=partition)
    offsets = {0: 0, 1: 0}
    found: dict[int, list[bytes]] = {0: [], 1: []}
    for _ in range(20):
        for partition, offset in offsets.items():
            more = real.log.read("here", partition, offset, 3)
            found[partition] += [message.value for message in more]
            offsets[partition] = more[-1].offset + 1 if more else offset
    assert found[0] == found[1] == [b"%d" % number for number in range(50)]


# Following


def test_idle_places_are_read_without_asking_the_broker(real: KafkaCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    follow(real.log, ("here", 0), ("here", 1), ("there", 0))
    asked: list[object] = []
    monkeypatch.setattr(real.log._scanner, "read", lambda *call: asked.append(call) or [])
    for _ in range(100):
        assert not any(real.log.read(*place, 0, 10) for place in (("here", 0), ("here", 1), ("there", 0)))
    assert asked == []


def test_what_another_process_appends_ends_the_wait(real: KafkaCluster, other: KafkaLog) -> None:
    follow(real.log, ("here", 0), ("there", 0))
    for number in range(5):
        say(other, b"%d" % number)
        before = monotonic()
        assert arrived(real.log, number) == [b"%d" % number]
        assert monotonic() - before < 55


def test_a_wait_for_nothing_takes_its_time(real: KafkaCluster) -> None:
    follow(real.log, ("here", 0))
    before = monotonic()
    real.log.wait(0.3)
    assert 0.25 < monotonic() - before < 55


def test_an_own_append_is_found_by_the_next_read(real: KafkaCluster) -> None:
    follow(real.log, ("here", 0))
    for number in range(20):
        say(real.log, b"%d" % number)
        assert [message.value for message in rest(real.log, offset=number)] == [b"%d" % number]


def test_going_back_reads_again(real: KafkaCluster, other: KafkaLog) -> None:
    say(real.log, b"a", b"b", b"c")
    follow(real.log, ("here", 0))
    assert [message.value for message in rest(real.log, offset=1)] == [b"b", b"c"]
    say(other, b"d")
    assert arrived(real.log, 3) == [b"d"]
    assert [message.value for message in rest(real.log)] == [b"a", b"b", b"c", b"d"]
    say(other, b"e")
    assert arrived(real.log, 4) == [b"e"]


def test_only_what_is_committed_arrives(real: KafkaCluster, other: KafkaLog) -> None:
    follow(real.log, ("here", 0))
    for value, end in ((b"aborted", "abort"), (b"committed", "commit")):
        producer = other.producer("x")
        producer.begin()
        producer.append("here", 0, "p", value, {})
        producer.settle()
        real.log.wait(0.05)
        assert rest(real.log) == []
        getattr(producer, end)()
    assert arrived(real.log, 0) == [b"committed"]


def test_what_is_not_followed_any_more_is_forgotten(real: KafkaCluster, other: KafkaLog) -> None:
    follow(real.log, ("here", 0), ("there", 0))
    real.log.follow([("there", 0)])
    say(other, b"a")
    assert real.log._follower._consumer.assignment() == {TopicPartition(real.connection.wire_name("there"), 0)}
    assert [message.value for message in rest(real.log)] == [b"a"]
    real.log.follow([])
    assert not real.log._follower._cursors


def test_a_reader_that_lags_holds_a_bounded_part_and_misses_nothing(
    real: KafkaCluster, other: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "BUFFERED", 400_000)
    follow(real.log, ("here", 0), ("there", 0))
    values = [b"%06d" % number * 1_000 for number in range(500)]
    for start in range(0, 500, 100):
        say(other, *values[start : start + 100])
    say(other, b"beside", topic="there")
    until(lambda: real.log.read("there", 0, 0, 1))
    [cursor] = (each for each in real.log._follower._cursors.values() if each.place == ("here", 0))

    def full() -> bool:
        real.log._follower._poll(10)
        return cursor.paused

    until(full)
    # One look may bring as much as one answer holds, before the place can be paused.
    assert cursor.bytes < 400_000 + 500 * 6_600
    found: list[bytes] = []
    while len(found) < 500:
        more = real.log.read("here", 0, len(found), 10)
        found += [message.value for message in more]
        if not more:
            real.log.wait(1)
    assert found == values


def test_a_place_whose_messages_are_gone_says_so_and_the_others_go_on(real: KafkaCluster, other: KafkaLog) -> None:
    say(real.log, b"a", b"b")
    real.log.follow([("here", 0), ("there", 0)])
    rest(real.log, "there")
    real.client.delete_records({TopicPartition(real.connection.wire_name("here"), 0): 2})
    with pytest.raises(OffsetOutOfRange):
        real.log.read("here", 0, 0, 1)
    say(other, b"beside", topic="there")
    assert arrived(real.log, 0, "there") == [b"beside"]


# Stalls


def test_a_stall_is_told_with_its_place_and_a_healthy_reader_has_none(real: KafkaCluster, other: KafkaLog) -> None:
    follow(real.log, ("here", 0), ("there", 0))
    for number in range(10):
        say(other, b"%d" % number, topic="there")
        assert arrived(real.log, number, "there") == [b"%d" % number]
        assert real.log.stalled(1) is None
    # Behind our backs, as the library's own defects do.
    real.log._follower._consumer.pause(TopicPartition(real.connection.wire_name("here"), 0))
    say(other, b"never arrives")
    until(lambda: real.log.wait(0.05) or real.log.stalled(1) == ("here", 0))
