"""What becomes of an input that a core fails on: it is set aside, and its unit goes on without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.runtime.core import Core, Effect, Input, Message, Read, Request, Step, Unit
from shared.runtime.ports import BlobDamaged, BlobMissing, LogError

SetAside = Callable[[Unit, Message | Request, Exception], Effect]
"""Says what is done instead: a dead letter for a message, an answer for a request."""
OUTSIDE = (LogError, BlobMissing, BlobDamaged, OSError)
"""What is never an input's fault: the log, the blobs, the machine. Such work is done again."""


class TooLarge(ValueError):
    """What follows from an input is more than its topic is declared to take. No log will ever take it, so the input is
    at fault; what is within the declaration and refused all the same is the log's fault (`MessageTooLarge`)."""


def check_size(topic: str, value: bytes, largest: int) -> None:
    if len(value) > largest:
        raise TooLarge(f"{len(value)} bytes for {topic!r}, which is declared to take {largest}")


@dataclass(frozen=True, slots=True)
class Unmoved:
    """In the core's place for one input: the state stays as it is, the effect is all that happens."""

    core: Core[Any]
    effect: Effect

    @property
    def name(self) -> str:
        return self.core.name

    @property
    def reads(self) -> tuple[str, ...]:
        return self.core.reads

    @property
    def state_type(self) -> Any:
        return self.core.state_type

    @property
    def per_lane(self) -> bool:
        return self.core.per_lane

    def initial(self, unit: Unit) -> Any:
        return self.core.initial(unit)

    def handle(self, state: Any, _item: Input, _read: Read) -> Step[Any]:
        return Step(state, (self.effect,))
