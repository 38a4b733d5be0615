"""`Subscription`: somebody else's topic, read by one group, handed over, then acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from shared.runtime.core import Message
from shared.runtime.hosts import read_on
from shared.runtime.ports import Groups, Log, Membership, Place

BATCH = 64


class Subscription:
    """``deliver`` returns when what follows from the messages is safe; a crash before the commit delivers them again.

    For topics that are no core's own: a core's states know what they cover, whoever is delivered to here has to
    recognise a repeated message by its place.
    """

    def __init__(
        self,
        log: Log,
        groups: Groups,
        topic: str,
        *,
        group: str,
        member: str,
        deliver: Callable[[Sequence[Message]], None],
    ) -> None:
        self._log = log
        self._groups = groups
        self._topic = topic
        self._group = group
        self._member = member
        self._deliver = deliver
        self._membership: Membership | None = None
        self._positions: dict[Place, int] = {}

    def open(self) -> None:
        self._membership = self._groups.join(self._group, self._member, (self._topic,))
        self._positions = {(self._topic, each): self._position(each) for each in self._membership.partitions}

    def positions(self) -> Mapping[Place, int]:
        """What is read here at present, and where each place is read on."""
        return dict(self._positions)

    def turn(self) -> bool:
        """Delivers the next messages of one partition; False when there are none."""
        if self._membership is None or not self._groups.current(self._membership):
            self.open()
        return any(self._take(place) for place in tuple(self._positions))

    def close(self) -> None:
        if self._membership is not None:
            self._groups.leave(self._membership)
            self._membership = None

    def _take(self, place: Place) -> bool:
        messages = self._log.read(*place, self._positions[place], BATCH)
        if not messages or self._membership is None:
            return False
        self._deliver(messages)
        self._positions[place] = messages[-1].offset + 1
        self._groups.commit(self._membership, {place: self._positions[place]})
        return True

    def _position(self, partition: int) -> int:
        first = self._log.start_offset(self._topic, partition)
        committed = self._groups.committed(self._group, self._topic, partition)
        return read_on(self._topic, partition, committed, first)
