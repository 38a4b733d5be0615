"""Slices of lanes back to whole epochs and steps: each closes when every lane has delivered its share.

A slice counts iff it begins at or after what its lane has delivered; one that begins earlier is a repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Assembly(Generic[Part]):
    """``delivered``: per lane the end of its last slice. ``open``: (number, lanes done, merged part) by number."""

    delivered: tuple[int, ...] = ()
    open: tuple[tuple[int, tuple[int, ...], Part], ...] = ()


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
    delivered = (*delivered[: piece.lane], piece.last, *delivered[piece.lane + 1 :])
    parts = {number: (done, part) for number, done, part in assembly.open}
    done, part = parts.get(piece.number, ((), None))
    merged = piece.part if part is None else merge(part, piece.part)
    parts[piece.number] = ((*done, piece.lane) if piece.whole else done, merged)
    return _close(delivered, parts, lanes)


def _close(
    delivered: tuple[int, ...], parts: dict[int, tuple[tuple[int, ...], Part]], lanes: int
) -> tuple[Assembly[Part], tuple[Part, ...]]:
    """Closes in order: a later one waits for an earlier one, because detectors read time as a sequence."""
    closed = []
    for number in sorted(parts):
        done, part = parts[number]
        if len(done) < lanes:
            break
        closed.append(part)
        del parts[number]
    return Assembly(delivered, tuple((n, *parts[n]) for n in sorted(parts))), tuple(closed)
