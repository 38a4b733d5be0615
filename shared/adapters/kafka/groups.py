"""`KafkaGroups`: the `Groups` port. Membership and fetching are two consumers; these fetch nothing."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import Any

from kafka.errors import KafkaTimeoutError
from kafka.structs import OffsetAndMetadata, TopicPartition

from shared.adapters.kafka import clients
from shared.adapters.kafka.catalogue import Catalogue
from shared.adapters.kafka.connection import Connection
from shared.adapters.kafka.errors import as_log_errors
from shared.adapters.kafka.member import DEFAULT, Member, Patience
from shared.runtime.ports import Fenced, Indefinite, Membership, Place, Unsettled

SLICE = 50
"""Milliseconds of one look while joining. The library begins anew when an answer comes between two looks: few looks."""


class KafkaGroups:
    """Used by one thread.

    A membership's ``member`` is the id that the broker gave, so that a producer can be fenced by it without knowing
    the groups. Members of one group in one process join in turns: each has to answer while another joins.
    """

    def __init__(self, connection: Connection, patience: Patience = DEFAULT) -> None:
        self._connection = connection
        self._patience = patience
        self._catalogue = Catalogue(connection)
        self._members: dict[tuple[str, str], Member] = {}
        self._askers: dict[str, Any] = {}

    def join(self, group: str, member: str, topics: tuple[str, ...]) -> Membership:
        """Raises `Indefinite` when the group doesn't come to rest in time; joining again goes on from there."""
        until = monotonic() + self._patience.join / 1000
        joining = self._member(group, member, topics)
        while monotonic() < until:
            self._take_part(group)
            membership = joining.membership()
            if membership is not None:
                return membership
        raise Indefinite(f"join group {group!r}: it still moves after {self._patience.join} ms; join again")

    def leave(self, membership: Membership) -> None:
        for key, member in list(self._members.items()):
            if member.is_in(membership):
                self._members.pop(key).close()

    def current(self, membership: Membership) -> bool:
        member = self._find(membership)
        with as_log_errors(f"look after group {membership.group!r}"):
            return member is not None and member.current(membership)

    def committed(self, group: str, topic: str, partition: int) -> int | None:
        """An open transaction that may move the offset is waited for, but not for long (KIP-447, require stable)."""
        where = f"the offset of group {group!r} on {topic}/{partition}"
        try:
            with as_log_errors(f"look up {where}"):
                return self._stored(group, TopicPartition(self._connection.wire_name(topic), partition))
        except Indefinite as error:
            if not isinstance(error.__cause__, KafkaTimeoutError):
                raise
            # The library takes "unstable" for a passing error and asks until its time is over.
            raise Unsettled(f"an open transaction may move {where}, or the broker is slow: ask again") from error

    def commit(self, membership: Membership, offsets: Mapping[Place, int]) -> None:
        member = self._find(membership)
        if member is None or not member.stands_at(membership):
            raise Fenced(
                f"{membership.member!r} of generation {membership.generation} no longer belongs to group "
                f"{membership.group!r}: join again and read the stored offsets"
            )
        wire = {
            TopicPartition(self._connection.wire_name(topic), partition): OffsetAndMetadata(offset, "", -1)
            for (topic, partition), offset in offsets.items()
        }
        with as_log_errors(f"store offsets of group {membership.group!r}"):
            member.consumer.commit(wire, timeout_ms=10_000)

    def close(self) -> None:
        """Leaves every group."""
        for member in self._members.values():
            member.close()
        for asker in self._askers.values():
            clients.close_quietly(asker, timeout_ms=1_000)
        self._catalogue.close()
        self._members, self._askers = {}, {}

    def _member(self, group: str, member: str, topics: tuple[str, ...]) -> Member:
        if (group, member) not in self._members:
            # A consumer that subscribes to what isn't there creates it where the broker lets it, whatever it is told.
            for topic in topics:
                self._catalogue.partitions(topic)
            with as_log_errors(f"join group {group!r}"):
                self._members[group, member] = Member(self._connection, group, topics, self._patience)
        return self._members[group, member]

    def _take_part(self, group: str) -> None:
        with as_log_errors(f"join group {group!r}"):
            for (its_group, _), member in self._members.items():
                if its_group == group:
                    member.poll(SLICE)

    def _find(self, membership: Membership) -> Member | None:
        return next((member for member in self._members.values() if member.is_in(membership)), None)

    def _stored(self, group: str, place: TopicPartition) -> int | None:
        return self._asker(group).committed(place, timeout_ms=self._patience.answer)  # type: ignore[no-any-return]

    def _asker(self, group: str) -> Any:
        """Any consumer of the group may ask, a member or not."""
        members = (member.consumer for (its_group, _), member in self._members.items() if its_group == group)
        found = next(members, None) or self._askers.get(group)
        if found is None:
            found = clients.consumer(self._connection, group_id=self._connection.own_name(group))
            self._askers[group] = found
        return found
