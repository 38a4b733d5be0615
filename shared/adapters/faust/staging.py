"""What one batch comes to, before any of it leaves the process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shared.runtime.advance import Held
from shared.runtime.core import Answer, Append, Run, Unit
from shared.runtime.ports import LogError, Place


class Unsupported(LogError):
    """A core asked for an effect that this host can't carry out. No input is at fault, so none is set aside for it."""


@dataclass(slots=True)
class Batch:
    """Appends in order, and the last state of each unit that moved."""

    appends: list[Append] = field(default_factory=list)
    saved: dict[Unit, Held[Any]] = field(default_factory=dict)


class Staging:
    """The worker's host: states change in memory at once, effects wait until the batch has been folded.

    A batch whose effects then fail ends the process, so memory never outlives what isn't stored.
    """

    def __init__(self, held: Mapping[Unit, Held[Any]], positions: Mapping[Place, int]) -> None:
        self._held = dict(held)
        self._positions = positions
        self._batch = Batch()

    def take(self) -> Batch:
        """What was staged since the last time."""
        batch, self._batch = self._batch, Batch()
        return batch

    def open(self, topics: tuple[str, ...]) -> tuple[int, ...]:
        return tuple(sorted({partition for topic, partition in self._positions if topic in topics}))

    def current(self) -> bool:
        return True

    def units(self) -> tuple[Unit, ...]:
        return tuple(self._held)

    def position(self, topic: str, partition: int) -> int:
        return self._positions[topic, partition]

    def held(self, unit: Unit) -> Held[Any] | None:
        return self._held.get(unit)

    @contextmanager
    def work(self) -> Iterator[Staging]:
        yield self

    def append(self, effect: Append) -> None:
        self._batch.appends.append(effect)

    def save(self, unit: Unit, held: Held[Any]) -> None:
        if held.timers:
            raise Unsupported(f"{unit} asks for the timers {sorted(held.timers)}; run this core over a LogHost")
        self._held[unit] = self._batch.saved[unit] = held

    def cover(self, positions: Mapping[Place, int]) -> None:
        """Whoever took the messages keeps the positions."""

    def start(self, run: Run) -> None:
        raise Unsupported(f"job {run.job!r} can't be started from here; run this core over a LogHost")

    def answer(self, answer: Answer) -> None:
        raise Unsupported(f"nobody waits here for the answer to {answer.request!r}; run this core over a ProcessHost")
