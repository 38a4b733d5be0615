"""Headers of our messages on the broker and in here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

ORIGIN = "__connect.errors.topic"
"""Of a dead letter: the topic that its data came in. Tools look it up on the broker, so there it has its name there."""


def to_wire(headers: Mapping[str, str], wire_name: Callable[[str], str]) -> list[tuple[str, bytes]]:
    return [(name, (wire_name(said) if name == ORIGIN else said).encode()) for name, said in headers.items()]


def from_wire(headers: Iterable[tuple[str, bytes | None]], logical_name: Callable[[str], str]) -> dict[str, str]:
    """Ours are UTF-8 throughout. Foreign producers may write anything: what isn't text is replaced, never fatal."""
    told = {name: text(said) for name, said in headers}
    return told | {ORIGIN: logical_name(told[ORIGIN])} if ORIGIN in told else told


def text(data: bytes | None) -> str:
    return bytes(data or b"").decode("utf-8", "replace")
