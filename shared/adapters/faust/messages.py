"""Between Faust's messages and ours, and out to the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any, cast

from faust.types import Message as FaustMessage

from shared.adapters.faust.driver import App
from shared.adapters.kafka.headers import to_wire
from shared.runtime.core import Append, Message
from shared.runtime.hosts import addressed
from shared.runtime.ports import Log


def message_of(raw: FaustMessage, names: Mapping[str, str]) -> Message:
    """``names``: what a topic on the wire is called here. Whatever isn't text is told apart later, by the core."""
    return Message(
        names[raw.topic],
        raw.partition,
        raw.offset,
        round(raw.timestamp * 1000),
        (raw.key or b"").decode(errors="replace"),
        raw.value or b"",
        {name: (value or b"").decode(errors="replace") for name, value in cast(Any, raw.headers)},
    )


class Sending:
    """Appends to the broker, and how many partitions each topic has: asked for once, for they never change."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._counts: dict[str, int] = {}

    def partitions(self, topic: str) -> int:
        """Of a topic that was learned before."""
        return self._counts[topic]

    async def learn(self, topics: Iterable[str]) -> None:
        for topic in topics:
            if topic not in self._counts:
                wire = self._app.connection.wire_name(topic)
                self._counts[topic] = await self._app.writer.partition_count(wire)

    async def send(self, appends: Sequence[Append]) -> None:
        """In order; returns when the broker has acknowledged every one, raises what it refused.

        Faust's `Topic.send` would only log a refusal, and its flush gives up on a broker that is silent for a tenth of
        a second: nothing here rests on either.
        """
        await self.learn({append.topic for append in appends})
        await asyncio.gather(*[await self._send(append) for append in appends])

    async def _send(self, append: Append) -> Awaitable[Any]:
        to = addressed(cast(Log, self), append)  # it asks for the partitions alone
        headers = to_wire(to.headers, self._app.connection.wire_name)
        wire = self._app.connection.wire_name(to.topic)
        sent: Awaitable[Any] = await self._app.writer.send(wire, to.key.encode(), to.value, to.partition, None, headers)
        return sent
