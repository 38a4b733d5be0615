"""Reading what is no core's own: nothing is skipped, what was acknowledged is not delivered again."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

import pytest

from shared.adapters.memory import MemoryGroups, MemoryLog, TopicSettings
from shared.operations.follower import Follower, FollowerThread
from shared.operations.subscription import Subscription
from shared.runtime.core import Message
from shared.runtime.ports import Indefinite, Place
from tests.waiting import until


class Reader:
    """Takes what is delivered, unless it is told to fail."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.fails = False

    def __call__(self, messages: Sequence[Message]) -> None:
        if self.fails:
            raise Indefinite("no answer")
        self.got += [message.value for message in messages]


def offers(partitions: int = 2) -> MemoryLog:
    log = MemoryLog(lambda: 0)
    log.create("offers", TopicSettings(partitions))
    for number in range(4):
        log.append("offers", number % partitions, "p", str(number).encode(), {})
    return log


def drained(subscription: Subscription) -> None:
    while subscription.turn():
        pass


def subscribed(log: MemoryLog, groups: MemoryGroups, member: str, reader: Reader) -> Subscription:
    return Subscription(log, groups, "offers", group="g", member=member, deliver=reader)


def test_everything_is_delivered_once() -> None:
    log, reader = offers(), Reader()
    drained(subscribed(log, MemoryGroups(log), "a", reader))
    assert sorted(reader.got) == [b"0", b"1", b"2", b"3"]


def test_a_delivery_that_fails_is_made_again() -> None:
    log, reader = offers(1), Reader()
    subscription = subscribed(log, MemoryGroups(log), "a", reader)
    reader.fails = True
    with pytest.raises(Indefinite):
        subscription.turn()
    reader.fails = False
    drained(subscription)
    assert reader.got == [b"0", b"1", b"2", b"3"]


def test_the_next_member_goes_on_where_the_last_one_stopped() -> None:
    log, first, second = offers(1), Reader(), Reader()
    groups = MemoryGroups(log)
    before = subscribed(log, groups, "a", first)
    drained(before)
    before.close()
    log.append("offers", 0, "p", b"later", {})
    drained(subscribed(log, groups, "b", second))
    assert second.got == [b"later"]


def test_two_members_share_the_partitions() -> None:
    log, first, second = offers(2), Reader(), Reader()
    groups = MemoryGroups(log)
    one, two = subscribed(log, groups, "a", first), subscribed(log, groups, "b", second)
    one.open()
    two.open()
    drained(one)
    drained(two)
    assert (sorted(first.got), sorted(second.got)) == ([b"0", b"2"], [b"1", b"3"])


def test_what_retention_took_unread_is_told_and_the_rest_is_delivered(caplog: pytest.LogCaptureFixture) -> None:
    now = 0
    log, reader = MemoryLog(lambda: now), Reader()
    log.create("offers", TopicSettings(1, retention=10))
    groups = MemoryGroups(log)
    for value in (b"0", b"1", b"2"):
        log.append("offers", 0, "p", value, {})
        if value == b"0":
            before = subscribed(log, groups, "a", reader)
            drained(before)
            before.close()
        now += 8
    log.clean()
    drained(subscribed(log, groups, "b", reader))
    assert reader.got == [b"0", b"2"]
    assert "offers/0: retention deleted offsets 1 to 2 unread" in caplog.text


def test_a_follower_is_told_everything_from_the_start_and_then_what_is_new() -> None:
    log, told = offers(), list[bytes]()
    follower = Follower(log, "offers", lambda message: told.append(message.value))
    follower.open()
    assert sorted(told) == [b"0", b"1", b"2", b"3"]
    log.append("offers", 1, "p", b"new", {})
    assert follower.turn()
    assert told[-1] == b"new"
    assert not follower.turn()


class Own(MemoryLog):
    """A log that a thread may have for itself."""

    def follow(self, places: Sequence[Place]) -> None:
        """Nothing is fetched ahead."""

    def wait(self, seconds: float) -> None:
        Event().wait(min(seconds, 0.01))

    def stalled(self, seconds: float) -> Place | None:
        return None

    def close(self) -> None:
        """Nothing is open."""


def test_a_follower_is_ready_when_something_was_done_about_all_that_had_been_said() -> None:
    log, told, done, gate = Own(lambda: 0), list[bytes](), list[int](), Event()
    log.create("offers", TopicSettings(2))
    for number in range(600):
        log.append("offers", number % 2, "p", str(number).encode(), {})

    def also() -> None:
        done.append(len(told))
        gate.wait(60)

    feed = FollowerThread(Follower(log, "offers", lambda message: told.append(message.value)), log, also)
    feed.start()
    until(lambda: done)
    assert done == [600], "nothing is done about what may be out of date"
    assert not feed.ready()
    gate.set()
    until(feed.ready)
    feed.stop(60)
