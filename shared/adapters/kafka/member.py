"""`Member`: one membership in one group, for as long as its consumer lives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from kafka import ConsumerRebalanceListener
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import MemberState, TopicPartition

from shared.adapters.kafka import clients
from shared.adapters.kafka.connection import Connection
from shared.runtime.ports import LogError, Membership

LOOK = 0.05
"""Seconds between two looks at the group, at least; heartbeats go on without them."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Milliseconds. ``session``: how long the group waits for a silent member before it gives its partitions away.

    ``heartbeat``: how soon members notice that somebody joined. ``unit``: how long one unit of work may take.
    ``join``: how long one attempt to join may. ``answer``: how long an offset in doubt is asked for.
    """

    session: int = 30_000
    heartbeat: int = 3_000
    unit: int = 300_000
    join: int = 60_000
    answer: int = 1_000


DEFAULT = Patience()


class Member:
    """A consumer that takes part and fetches nothing.

    Dynamic, never static: the range assignor forgets members where both are mixed (K10). Range, because it gives the
    same partition numbers of every topic, if all members subscribe to the same topics of equal counts (KIP-315).
    """

    def __init__(self, connection: Connection, group: str, topics: Iterable[str], patience: Patience) -> None:
        self._group = group
        self._polled = 0.0
        self.consumer = clients.consumer(
            connection,
            group_id=connection.own_name(group),
            partition_assignment_strategy=[RangePartitionAssignor],
            session_timeout_ms=patience.session,
            heartbeat_interval_ms=patience.heartbeat,
            max_poll_interval_ms=patience.unit,
        )
        self._subscribe([connection.wire_name(topic) for topic in topics])

    def poll(self, milliseconds: int) -> None:
        """Takes part in what the group is doing. Raises the library's errors."""
        self._polled = monotonic()
        self.consumer.poll(milliseconds)

    def membership(self) -> Membership | None:
        """None while the group is moving. Raises `LogError` where the topics' partitions don't match."""
        known = self.consumer.group_metadata()
        if known.state is not MemberState.STABLE or self._moves():
            return None
        return Membership(self._group, known.member_id, known.generation_id, self._partitions())

    def current(self, membership: Membership) -> bool:
        """Doesn't begin to join again where that is due: what one look begins and doesn't end, the next discards."""
        if monotonic() - self._polled > LOOK:
            if self._moves():
                return False
            self.poll(0)
        return self.stands_at(membership)

    def stands_at(self, membership: Membership) -> bool:
        known = self.consumer.group_metadata()
        return known.state is MemberState.STABLE and known.generation_id == membership.generation

    def is_in(self, membership: Membership) -> bool:
        return self._group == membership.group and self.consumer.group_metadata().member_id == membership.member

    def close(self) -> None:
        clients.close_quietly(self.consumer, autocommit=False, timeout_ms=2_000)

    def _subscribe(self, names: Sequence[str]) -> None:
        self.consumer.subscribe(names, listener=_FetchNothing(self.consumer))
        try:
            # Whoever leads the group assigns from what it knows of the topics, and that's nothing before their first
            # use: the group would come to rest with nothing assigned.
            self.consumer.beginning_offsets([TopicPartition(name, 0) for name in names], timeout_ms=10_000)
        except KafkaError:
            self.close()
            raise

    def _moves(self) -> bool:
        """Whether a heartbeat was told, or the topics' partitions say, that the group has to come together again."""
        return bool(self.consumer._coordinator.need_rejoin())

    def _partitions(self) -> tuple[int, ...]:
        owned = self.consumer.assignment()
        numbers = {topic: sorted(p for t, p in owned if t == topic) for topic in self.consumer.subscription()}
        if len({tuple(each) for each in numbers.values()}) > 1:
            raise LogError(
                f"group {self._group!r} was given {numbers}: give its topics equal partition counts, and every "
                f"member the same topics"
            )
        return tuple(next(iter(numbers.values())))


class _FetchNothing(ConsumerRebalanceListener):  # type: ignore[misc] # the library is untyped
    """Without a position the library would look one up, and begin to fetch there.

    Runs on the library's own thread, where nothing may wait: a commit here fails (K8), and isn't needed.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Nothing is kept that could be lost."""

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        for wire in assigned:
            self._consumer.seek(wire, 0)
        self._consumer.pause(*assigned)
