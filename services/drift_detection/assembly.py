"""Slices of lanes back to whole epochs and steps: each closes when every lane has passed it.

A slice counts iff it begins at or after what its lane has delivered; one that begins earlier is a repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Assembly(Generic[Part]):
    """``delivered``: per lane the end of its last slice. ``passed``: per lane the first number that it still owes.
    ``open``: (number, merged part) by number.

    A lane may owe nothing to a number that has been opened: a new generation begins within one lane's epoch and past
    the end of another's.
    """

    delivered: tuple[int, ...] = ()
    passed: tuple[int, ...] = ()
    open: tuple[tuple[int, Part], ...] = ()


@dataclass(frozen=True, slots=True)
class Slice(Generic[Part]):
    """Lane positions [first, last) of one epoch or step; ``whole`` if the lane's share of it ends here."""

    lane: int
    number: int
    first: int
    last: int
    whole: bool
    part: Part


def add(
    assembly: Assembly[Part], piece: Slice[Part], lanes: int, merge: Callable[[Part, Part], Part]
) -> tuple[Assembly[Part], tuple[Part, ...]]:
    """The assembly with the slice, and the parts that closed, in order."""
    delivered = assembly.delivered + (0,) * (lanes - len(assembly.delivered))
    if piece.first < delivered[piece.lane]:
        return assembly, ()
    passed = assembly.passed + (0,) * (lanes - len(assembly.passed))
    delivered = _set(delivered, piece.lane, piece.last)
    passed = _set(passed, piece.lane, piece.number + piece.whole)
    parts = dict(assembly.open)
    parts[piece.number] = merge(parts[piece.number], piece.part) if piece.number in parts else piece.part
    return _close(delivered, passed, parts)


def _set(values: tuple[int, ...], place: int, value: int) -> tuple[int, ...]:
    return (*values[:place], value, *values[place + 1 :])


def _close(
    delivered: tuple[int, ...], passed: tuple[int, ...], parts: dict[int, Part]
) -> tuple[Assembly[Part], tuple[Part, ...]]:
    """In order: what all lanes have passed."""
    closed = tuple(parts[number] for number in sorted(parts) if number < min(passed))
    still = tuple((number, parts[number]) for number in sorted(parts) if number >= min(passed))
    return Assembly(delivered, passed, still), closed
