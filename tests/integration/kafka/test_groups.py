"""Membership on a live broker: who gets which partitions, and when members learn of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Event, Thread
from time import monotonic
from types import SimpleNamespace

import pytest
from kafka import ConsumerRebalanceListener
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from shared.adapters.kafka import KafkaGroups
from shared.adapters.memory import TopicSettings
from shared.runtime.ports import Addressed, Fenced, Indefinite, LogError, Membership, Unsettled
from tests.integration.kafka import stock
from tests.integration.kafka.cluster import QUICK, KafkaCluster, cluster
from tests.waiting import PATIENCE, until

TOPICS = {"left": TopicSettings(6), "right": TopicSettings(6), "uneven": TopicSettings(5)}


@pytest.fixture
def real(broker: str) -> Iterator[KafkaCluster]:
    with cluster(broker, TOPICS) as started:
        yield started


def join(real: KafkaCluster, *members: str) -> list[Membership]:
    """All of them, once the group rests."""
    for member in members:
        joined(real.groups, member)
    return [joined(real.groups, member) for member in members]


def joined(groups: KafkaGroups, member: str) -> Membership:
    """As a host does, which goes on: a group that doesn't come to rest in time is joined again."""
    deadline = monotonic() + PATIENCE
    while monotonic() < deadline:
        try:
            return groups.join("readers", member, ("left", "right"))
        except Indefinite:
            continue
    raise AssertionError(f"the group never came to rest for {member!r}")


# K10: members that the assignor forgets


def test_stock_forgets_members_when_static_and_dynamic_ones_mix() -> None:
    metadata = SimpleNamespace(topics=["left"])
    ids = [("static-1", "a"), (None, "b"), ("static-2", "c")]
    members = [SimpleNamespace(group_instance_id=static, member_id=own, metadata=metadata) for static, own in ids]
    cluster_of_six = SimpleNamespace(partitions_for_topic=lambda _: set(range(6)))
    given = RangePartitionAssignor.assign(cluster_of_six, members)
    assert [len(given[own].partitions()) for _, own in ids] == [0, 3, 3]


def test_every_partition_has_one_owner_the_same_in_each_topic(real: KafkaCluster) -> None:
    first, second, third = join(real, "first", "second", "third")
    assert sorted(first.partitions + second.partitions + third.partitions) == [0, 1, 2, 3, 4, 5]
    assert {len(each.partitions) for each in (first, second, third)} == {2}


def test_topics_of_unequal_partition_counts_are_refused(real: KafkaCluster) -> None:
    with pytest.raises(LogError, match="equal partition counts"):
        real.groups.join("readers", "one", ("left", "uneven"))


# A leader that knows nothing of its topics yet


def test_stock_often_assigns_nothing_at_first(real: KafkaCluster) -> None:
    assert any(not first_assignment(real, f"group-{number}") for number in range(50))


def first_assignment(real: KafkaCluster, group: str) -> set[TopicPartition]:
    with stock.consumer(real.connection.bootstrap, group_id=real.connection.own_name(group)) as consumer:
        consumer.subscribe([real.connection.wire_name("left")])
        until(lambda: consumer.poll(20) is not None and consumer.group_metadata().generation_id > 0)
        return consumer.assignment()  # type: ignore[no-any-return]


def test_a_member_is_given_its_partitions_at_once(real: KafkaCluster) -> None:
    for number in range(10):
        membership = real.groups.join(f"group-{number}", "one", ("left", "right"))
        assert membership.partitions == (0, 1, 2, 3, 4, 5)
        assert real.groups.current(membership)
        real.groups.leave(membership)


# K8: offsets are stored between polls


class Committing(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, commit: Callable[[], None]) -> None:
        self._commit = commit

    def on_partitions_assigned(self, _: object) -> None:
        """Nothing to do."""

    def on_partitions_revoked(self, _: object) -> None:
        self._commit()


def test_stock_fails_when_offsets_are_stored_as_partitions_are_revoked(real: KafkaCluster) -> None:
    wire = real.connection.wire_name("left")
    with stock.consumer(real.connection.bootstrap, group_id=real.connection.own_name("stock")) as consumer:
        offsets = {TopicPartition(wire, 0): stock.at(1)}
        consumer.subscribe([wire], listener=Committing(lambda: consumer.commit(offsets)))
        with pytest.raises(KafkaError, match="callback"):
            until(lambda: consumer.poll(50))


def test_offsets_are_stored_until_the_group_moves_and_not_after(real: KafkaCluster) -> None:
    [first] = join(real, "first")
    real.groups.commit(first, {("left", 0): 5, ("right", 3): 8})
    join(real, "second")
    with pytest.raises(Fenced):
        real.groups.commit(first, {("left", 0): 6})
    assert real.groups.committed("readers", "left", 0) == 5
    assert real.groups.committed("readers", "right", 3) == 8


# Noticing


@contextmanager
def other_process(real: KafkaCluster, member: str) -> Iterator[list[Membership]]:
    """Joins whenever the group moves, as a host does: who waits elsewhere for the group would wait for it, too.

    Its memberships, up to the one it has.
    """
    memberships: list[Membership] = []
    ending = Event()

    def run() -> None:
        with closing(KafkaGroups(real.connection, QUICK)) as groups:
            while not ending.wait(0.02):
                if not memberships or not groups.current(memberships[-1]):
                    memberships.append(joined(groups, member))

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield memberships
    finally:
        ending.set()
        thread.join(30)


def test_a_member_learns_that_another_process_joined_and_left(real: KafkaCluster) -> None:
    [first] = join(real, "first")
    assert real.groups.current(first)
    with other_process(real, "second") as memberships:
        until(lambda: not real.groups.current(first))

        def whole() -> bool:
            both = (joined(real.groups, "first"), *memberships[-1:])
            return len(both) == 2 and sorted(both[0].partitions + both[1].partitions) == [0, 1, 2, 3, 4, 5]

        until(whole, "the two share the partitions")
        first = joined(real.groups, "first")
    until(lambda: not real.groups.current(first))
    assert join(real, "first")[0].partitions == (0, 1, 2, 3, 4, 5)


def test_a_member_that_left_makes_room_at_once(real: KafkaCluster) -> None:
    first, second = join(real, "first", "second")
    real.groups.leave(second)
    until(lambda: not real.groups.current(first))
    assert join(real, "first")[0].partitions == (0, 1, 2, 3, 4, 5)


def test_a_member_that_the_group_lost_comes_back_as_another(real: KafkaCluster) -> None:
    [first] = join(real, "first")
    real.lose(first)
    until(lambda: not real.groups.current(first))
    [again] = join(real, "first")
    assert again.member != first.member
    assert again.partitions == first.partitions


def test_a_member_fetches_nothing(real: KafkaCluster) -> None:
    real.log.append_all([Addressed("left", number % 6, "p", b"x" * 100_000, {}) for number in range(30)])
    [first] = join(real, "first")
    for _ in range(5):
        real.groups.current(first)
        consumer = real.groups._members["readers", "first"].consumer
        consumer.poll(20)
        assert not consumer._fetcher._completed_fetches
        assert not consumer._fetcher.in_flight_fetches()


def test_an_offset_in_doubt_is_told_when_it_is_decided(real: KafkaCluster) -> None:
    [first] = join(real, "first")
    producer = real.log.producer("x")
    producer.begin()
    producer.cover(first, {("left", 2): 4})
    with pytest.raises(Unsettled):
        real.groups.committed("readers", "left", 2)
    producer.commit()
    assert real.groups.committed("readers", "left", 2) == 4
