"""What every log must do, whatever stands behind it: memory, and Kafka on a live broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from time import monotonic, sleep

import pytest

from shared.adapters.memory import MemoryGroups, MemoryLog, TopicSettings
from shared.runtime.core import Message
from shared.runtime.ports import (
    Addressed,
    Fenced,
    Groups,
    Log,
    LogError,
    Membership,
    MessageTooLarge,
    OffsetOutOfRange,
    Producer,
    Unsettled,
)
from tests.integration.broker import broker  # noqa: F401 # a fixture
from tests.integration.kafka.cluster import cluster as kafka_cluster


@dataclass
class Time:
    """Milliseconds that move when a test says so."""

    now: int = 1_000

    def __call__(self) -> int:
        return self.now


@dataclass(frozen=True)
class Cluster:
    """A log under test, and what goes on around it.

    ``clean`` lets a broker do what it does in the background. ``outlive`` lets the retention of ``young`` pass,
    ``expire`` the time-out of transactions. ``lose`` takes a member out of its group without telling it.
    """

    log: Log
    groups: Groups
    clean: Callable[[], None]
    outlive: Callable[[], None]
    expire: Callable[[], None]
    lose: Callable[[Membership], None]


TOPICS = {
    "plain": TopicSettings(2),
    "other": TopicSettings(2),
    "compacted": TopicSettings(1, compacted=True),
    "young": TopicSettings(1, retention=10_000),
    "small": TopicSettings(1, retention_bytes=10),
    "narrow": TopicSettings(1, max_message_bytes=8),
}


@contextmanager
def memory(_: pytest.FixtureRequest) -> Iterator[Cluster]:
    time = Time()
    log = MemoryLog(time)
    for topic, settings in TOPICS.items():
        log.create(topic, settings)
    groups = MemoryGroups(log)

    def later(action: Callable[[], None] = lambda: None) -> None:
        time.now += 60_000
        action()

    yield Cluster(log, groups, log.clean, later, lambda: later(log.coordinator.expire), groups.leave)


@contextmanager
def kafka(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    address = request.getfixturevalue("broker")
    with kafka_cluster(address, TOPICS) as real:
        yield Cluster(real.log, real.groups, real.clean, real.outlive, real.expire, real.lose)


Factory = Callable[[pytest.FixtureRequest], AbstractContextManager[Cluster]]
FACTORIES: list[Factory] = [memory, kafka]
memory_alone = pytest.mark.parametrize("cluster", [memory], indirect=True, ids=["memory"])


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.__name__)
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with request.param(request) as started:
        yield started


@pytest.fixture
def log(cluster: Cluster) -> Log:
    return cluster.log


def say(log: Log, *values: bytes, topic: str = "plain", key: str = "p") -> list[int]:
    return [log.append(topic, 0, key, value, {}) for value in values]


def values(log: Log, topic: str = "plain", partition: int = 0) -> list[bytes]:
    return [message.value for message in everything(log, topic, partition)]


def everything(log: Log, topic: str = "plain", partition: int = 0) -> Iterator[Message]:
    offset = log.start_offset(topic, partition)
    while found := log.read(topic, partition, offset, 2):
        yield from found
        offset = found[-1].offset + 1


def written(producer: Producer, *values: bytes, topic: str = "plain") -> Producer:
    producer.begin()
    for value in values:
        producer.append(topic, 0, "p", value, {})
    return producer


def soon(true: Callable[[], bool]) -> bool:
    """A broker cleans when it likes."""
    deadline = monotonic() + 60
    while not true() and monotonic() < deadline:
        sleep(0.05)
    return true()


def member(cluster: Cluster, name: str = "first", topics: tuple[str, ...] = ("plain",)) -> Membership:
    return cluster.groups.join("readers", name, topics)


# Order, content, places


def test_messages_are_read_in_the_order_of_their_appends(log: Log) -> None:
    say(log, b"a", b"b", b"c")
    assert values(log) == [b"a", b"b", b"c"]


def test_an_append_answers_with_the_offset_it_is_read_at(log: Log) -> None:
    offsets = say(log, b"a", b"b")
    assert [message.offset for message in everything(log)] == offsets


def test_a_message_comes_back_whole(log: Log) -> None:
    log.append("plain", 1, "pipeline", b"\x00\xff", {"lane": "3", "ce_type": "ä"})
    [message] = log.read("plain", 1, 0, 10)
    assert (message.topic, message.partition, message.key) == ("plain", 1, "pipeline")
    assert (message.value, dict(message.headers)) == (b"\x00\xff", {"lane": "3", "ce_type": "ä"})


def test_a_message_is_stamped_with_the_time_of_its_append(log: Log) -> None:
    before = log.now()
    say(log, b"a")
    assert before <= log.read("plain", 0, 0, 1)[0].timestamp <= log.now()


def test_many_are_appended_in_order_and_answer_with_their_offsets(log: Log) -> None:
    offsets = log.append_all([Addressed("plain", number % 2, "p", b"%d" % number, {}) for number in range(10)])
    for partition in (0, 1):
        found = list(everything(log, partition=partition))
        assert [message.value for message in found] == [b"%d" % number for number in range(partition, 10, 2)]
        assert [message.offset for message in found] == list(offsets[partition::2])


def test_partitions_are_separate(log: Log) -> None:
    say(log, b"a")
    assert values(log, partition=1) == []


def test_any_offset_can_be_read_again(log: Log) -> None:
    _, second, _ = say(log, b"a", b"b", b"c")
    assert log.read("plain", 0, second, 1) == log.read("plain", 0, second, 1)
    assert log.read("plain", 0, second, 1)[0].value == b"b"


def test_the_end_has_nothing_and_moves_with_each_append(log: Log) -> None:
    end = log.end_offset("plain", 0)
    assert not log.read("plain", 0, end, 10)
    say(log, b"a")
    assert log.read("plain", 0, end, 10)[0].value == b"a"
    assert log.end_offset("plain", 0) > end


def test_no_more_than_the_limit_is_read(log: Log) -> None:
    say(log, b"a", b"b", b"c")
    assert [message.value for message in log.read("plain", 0, 0, 2)] == [b"a", b"b"]


def test_unknown_topics_and_partitions_are_errors(log: Log) -> None:
    with pytest.raises(LogError, match="declare the topic"):
        log.append("plian", 0, "p", b"", {})
    with pytest.raises(LogError, match="it has 2"):
        log.read("plain", 2, 0, 1)


def test_a_message_that_is_too_large_is_refused_and_leaves_nothing(log: Log) -> None:
    with pytest.raises(MessageTooLarge):
        say(log, b"123456789", topic="narrow")
    assert values(log, "narrow") == []


# Transactions


def test_nothing_of_a_transaction_is_visible_before_its_commit(log: Log) -> None:
    producer = written(log.producer("x"), b"a", b"b")
    assert values(log) == []
    producer.commit()
    assert values(log) == [b"a", b"b"]


def test_nothing_of_an_aborted_transaction_ever_becomes_visible(log: Log) -> None:
    written(log.producer("x"), b"a").abort()
    say(log, b"b")
    assert values(log) == [b"b"]


def test_an_open_transaction_holds_back_what_comes_after_it(log: Log) -> None:
    say(log, b"before")
    producer = written(log.producer("x"), b"in")
    say(log, b"after")
    assert values(log) == [b"before"]
    assert not log.settled("plain", 0)
    producer.commit()
    assert values(log) == [b"before", b"in", b"after"]
    assert log.settled("plain", 0)


def test_two_open_transactions_hold_back_from_the_earlier_one(log: Log) -> None:
    early, late = written(log.producer("x"), b"early"), written(log.producer("y"), b"late")
    late.commit()
    assert values(log) == []
    early.commit()
    assert values(log) == [b"early", b"late"]


def test_markers_take_an_offset_that_no_reader_sees(log: Log) -> None:
    written(log.producer("x"), b"a").commit()
    say(log, b"b")
    first, second = everything(log)
    assert second.offset > first.offset + 1
    assert log.read("plain", 0, first.offset + 1, 1) == [second]


def test_reading_goes_past_long_gaps(log: Log) -> None:
    for _ in range(20):
        written(log.producer("x"), b"gone", b"gone").abort()
    say(log, b"here")
    assert [message.value for message in log.read("plain", 0, 0, 3)] == [b"here"]


def test_a_transaction_spans_topics(log: Log) -> None:
    producer = written(log.producer("x"), b"a")
    producer.append("other", 1, "p", b"b", {})
    producer.commit()
    assert (values(log), values(log, "other", 1)) == ([b"a"], [b"b"])


def test_a_producer_goes_on_after_a_commit_and_after_an_abort(log: Log) -> None:
    producer = log.producer("x")
    written(producer, b"a").commit()
    written(producer, b"b").abort()
    written(producer, b"c").commit()
    assert values(log) == [b"a", b"c"]


def test_an_append_outside_a_transaction_is_refused(log: Log) -> None:
    producer = log.producer("x")
    with pytest.raises(LogError, match="no transaction open"):
        producer.append("plain", 0, "p", b"a", {})


def test_a_new_producer_of_the_name_fences_the_old_one_and_aborts_its_transaction(log: Log) -> None:
    old = written(log.producer("x"), b"old")
    new = log.producer("x")
    for act in (old.commit, old.begin, lambda: old.append("plain", 0, "p", b"late", {})):
        with pytest.raises(Fenced):
            act()
    written(new, b"new").commit()
    assert values(log) == [b"new"]


def test_another_name_is_not_fenced(log: Log) -> None:
    one = written(log.producer("x"), b"a")
    log.producer("y")
    one.commit()
    assert values(log) == [b"a"]


def test_a_forgotten_transaction_times_out_and_its_producer_is_fenced(cluster: Cluster) -> None:
    producer = written(cluster.log.producer("x"), b"a")
    say(cluster.log, b"b")
    cluster.expire()
    assert values(cluster.log) == [b"b"]
    with pytest.raises(Fenced):
        producer.commit()


# Groups and offsets


def test_a_group_without_offsets_has_none(cluster: Cluster) -> None:
    assert cluster.groups.committed("readers", "plain", 0) is None


def test_committed_offsets_are_kept_per_group(cluster: Cluster) -> None:
    cluster.groups.commit(member(cluster), {("plain", 0): 7})
    assert cluster.groups.committed("readers", "plain", 0) == 7
    assert cluster.groups.committed("strangers", "plain", 0) is None


def test_members_share_the_partitions(cluster: Cluster) -> None:
    assert member(cluster).partitions == (0, 1)
    second = member(cluster, "second")
    first = member(cluster)
    assert sorted(first.partitions + second.partitions) == [0, 1]
    assert len(first.partitions) == len(second.partitions)


def test_an_old_generation_learns_that_it_is_old_and_cannot_commit(cluster: Cluster) -> None:
    first = member(cluster)
    assert cluster.groups.current(first)
    member(cluster, "second")
    assert not cluster.groups.current(first)
    with pytest.raises(Fenced):
        cluster.groups.commit(first, {("plain", 0): 1})
    assert cluster.groups.committed("readers", "plain", 0) is None


def test_who_left_or_was_silent_for_too_long_cannot_commit(cluster: Cluster) -> None:
    first = member(cluster)
    cluster.lose(first)
    with pytest.raises(Fenced):
        cluster.groups.commit(first, {("plain", 0): 1})


def test_joining_again_changes_nothing_for_the_others(cluster: Cluster) -> None:
    first = member(cluster)
    assert member(cluster) == first
    assert cluster.groups.current(first)


def test_offsets_move_with_the_transaction_or_not_at_all(cluster: Cluster) -> None:
    membership, producer = member(cluster), cluster.log.producer("x")
    written(producer, b"a").cover(membership, {("plain", 0): 3})
    producer.commit()
    assert cluster.groups.committed("readers", "plain", 0) == 3
    written(producer, b"b").cover(membership, {("plain", 0): 5})
    producer.abort()
    assert cluster.groups.committed("readers", "plain", 0) == 3


def test_offsets_in_doubt_are_not_told(cluster: Cluster) -> None:
    membership, producer = member(cluster), cluster.log.producer("x")
    written(producer, b"a").cover(membership, {("plain", 0): 3})
    with pytest.raises(Unsettled):
        cluster.groups.committed("readers", "plain", 0)


def test_a_transaction_of_an_old_generation_cannot_move_offsets(cluster: Cluster) -> None:
    membership, producer = member(cluster), cluster.log.producer("x")
    member(cluster, "second")
    with pytest.raises(Fenced):
        written(producer, b"a").cover(membership, {("plain", 0): 3})


# Compaction and retention


def test_compaction_keeps_the_last_message_of_each_key_where_it_was(cluster: Cluster) -> None:
    for key, value in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b"4")):
        say(cluster.log, value, topic="compacted", key=key)
    before = {message.offset: message for message in everything(cluster.log, "compacted")}
    cluster.clean()
    assert soon(lambda: values(cluster.log, "compacted") == [b"2", b"3", b"4"])
    after = {message.offset: message for message in everything(cluster.log, "compacted")}
    assert after.items() <= before.items()


def test_compaction_leaves_undecided_messages_alone(cluster: Cluster) -> None:
    say(cluster.log, b"old", topic="compacted")
    producer = written(cluster.log.producer("x"), b"new", topic="compacted")
    cluster.clean()
    assert values(cluster.log, "compacted") == [b"old"]
    producer.abort()
    assert values(cluster.log, "compacted") == [b"old"]


def test_retention_by_time_moves_the_start(cluster: Cluster) -> None:
    old, last = say(cluster.log, b"old", b"old", topic="young")
    cluster.outlive()
    cluster.clean()
    assert soon(lambda: cluster.log.start_offset("young", 0) > last)
    with pytest.raises(OffsetOutOfRange):
        cluster.log.read("young", 0, old, 1)
    [new] = say(cluster.log, b"new", topic="young")
    assert cluster.log.end_offset("young", 0) == new + 1


@memory_alone  # on a broker, when this test is slow, the new message is old before anybody reads it
def test_retention_by_time_keeps_what_is_young(cluster: Cluster) -> None:
    say(cluster.log, b"old", topic="young")
    cluster.outlive()
    say(cluster.log, b"new", topic="young")
    cluster.clean()
    assert values(cluster.log, "young") == [b"new"]


@memory_alone  # Kafka drops whole segments, of a megabyte at least
def test_retention_by_bytes_keeps_the_newest(cluster: Cluster) -> None:
    say(cluster.log, b"1234", b"5678", b"90ab", topic="small")
    cluster.clean()
    assert values(cluster.log, "small") == [b"5678", b"90ab"]


def test_offsets_do_not_start_again_after_retention(cluster: Cluster) -> None:
    say(cluster.log, b"old", topic="young")
    cluster.outlive()
    cluster.clean()
    assert soon(lambda: values(cluster.log, "young") == [])
    start = cluster.log.start_offset("young", 0)
    assert start == cluster.log.end_offset("young", 0)
    assert say(cluster.log, b"new", topic="young") == [start]


def test_topics_without_limits_keep_everything(cluster: Cluster) -> None:
    say(cluster.log, b"old")
    cluster.outlive()
    cluster.clean()
    assert values(cluster.log) == [b"old"]
