"""What doors keep outside the process, as ports. Both are caches: a door works without them, only less comfortably."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class StoreDown(Exception):
    """The store did not answer in time, or is not asked at all for a while because it didn't. Nothing is lost by it."""


class OtherBody(ValueError):
    """An idempotency key came before, with another body."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was answered the last time."""

    status: int
    body: bytes


class Window(Protocol):
    """The answers of the last idempotency keys. Every call may be repeated: a lost reply changes nothing."""

    def begin(self, key: str, fingerprint: str) -> Earlier | None:
        """Notes that this body comes under this key. Raises `OtherBody`, `StoreDown`."""

    def keep(self, key: str, fingerprint: str, answer: Earlier) -> None:
        """Raises `StoreDown`."""

    def forget(self, key: str, fingerprint: str) -> None:
        """The delivery was refused: its key is free for a mended one. Raises `StoreDown`."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a pipeline stands. ``offset``: the ledger up to where this was folded; ``at``: when, in epoch ms."""

    pipeline: str
    offset: int
    at: int
    document: dict[str, Any]


class ReadModel(Protocol):
    """How pipelines stand, for those who only look."""

    def get(self, pipeline: str) -> Standing | None:
        """Raises `StoreDown`."""

    def list(self) -> Sequence[Standing]:
        """By name. Raises `StoreDown`."""
