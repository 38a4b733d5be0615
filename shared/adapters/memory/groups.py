"""Consumer groups: who owns which partition, in which generation, and how far each group has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.adapters.memory.log import MemoryLog
from shared.runtime.ports import Fenced, LogError, Membership, Place, Unsettled


@dataclass(slots=True)
class _Group:
    topics: tuple[str, ...]
    generation: int = 0
    members: list[str] = field(default_factory=list)


class MemoryGroups:
    """The `Groups` port. Any join, leave or expiry starts a new generation at once; members learn of it later."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._groups: dict[str, _Group] = {}
        self._coordinator = log.coordinator
        self._coordinator.check_membership = self.check

    def join(self, group: str, member: str, topics: tuple[str, ...]) -> Membership:
        state = self._groups.setdefault(group, _Group(topics))
        if state.topics != topics:
            raise LogError(f"group {group!r} reads {state.topics}, {member!r} wants {topics}: subscribe alike")
        if member not in state.members:
            state.members = sorted([*state.members, member])
            state.generation += 1
        return Membership(group, member, state.generation, self._owned(state, member))

    def leave(self, membership: Membership) -> None:
        self.expire(membership.group, membership.member)

    def expire(self, group: str, member: str) -> None:
        """The member left, or was silent for too long. It may still run and not know."""
        state = self._groups[group]
        if member in state.members:
            state.members.remove(member)
            state.generation += 1

    def members(self, group: str) -> tuple[str, ...]:
        """Who is in the group now, whatever its members believe."""
        return tuple(self._groups[group].members) if group in self._groups else ()

    def current(self, membership: Membership) -> bool:
        state = self._groups[membership.group]
        return state.generation == membership.generation and membership.member in state.members

    def committed(self, group: str, topic: str, partition: int) -> int | None:
        place = (topic, partition)
        if self._coordinator.undecided(group, place):
            raise Unsettled(f"an open transaction may move group {group!r} on {topic}/{partition}: ask again")
        return self._coordinator.committed.get((group, place))

    def commit(self, membership: Membership, offsets: Mapping[Place, int]) -> None:
        self.check(membership)
        for place, offset in offsets.items():
            self._coordinator.committed[membership.group, place] = offset

    def check(self, membership: Membership) -> None:
        if not self.current(membership):
            raise Fenced(
                f"{membership.member!r} of generation {membership.generation} no longer belongs to group "
                f"{membership.group!r}: join again and read the stored offsets"
            )

    def _owned(self, state: _Group, member: str) -> tuple[int, ...]:
        """Range assignment over members in name order."""
        count = min(self._log.partitions(topic) for topic in state.topics)
        place, share, rest = state.members.index(member), *divmod(count, len(state.members))
        first = place * share + min(place, rest)
        return tuple(range(first, first + share + (place < rest)))
