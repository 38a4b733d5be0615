"""How much is sent at once, and how long it is tried."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Batching:
    """Rows wait for others until there are so many, or so many bytes of them, or for so many seconds."""

    rows: int = 1000
    bytes: int = 1 << 20
    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Retrying:
    """Pauses grow from ``first`` to ``longest`` seconds; after ``seconds`` in all it is given up."""

    first: float = 0.2
    longest: float = 10.0
    seconds: float = 120.0
