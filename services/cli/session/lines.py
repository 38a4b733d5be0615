"""Lines from a pipe or a growing file, in batches: so many, or what has come within a moment."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Event
from time import monotonic

CHUNK = 1 << 16
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Feed:
    """``rows`` lines make a batch; fewer do when the first of them has waited ``seconds``. ``follow``: the end of the
    file is not the end."""

    descriptor: int
    rows: int
    seconds: float
    follow: bool


def batches(feed: Feed, stop: Event) -> Iterator[list[bytes]]:
    """Non-blank lines without their line ends, until the input ends or ``stop`` is set; what was read is still given.

    A line that has no end yet is held back: half a record is none.
    """
    held, lines, since = b"", list[bytes](), monotonic()
    for chunk in _chunks(feed, stop):
        if not lines:
            since = monotonic()
        *whole, held = (held + chunk).split(b"\n")
        lines += [line for line in whole if line.strip()]
        while len(lines) >= feed.rows:
            yield lines[: feed.rows]
            lines = lines[feed.rows :]
        if lines and monotonic() - since >= feed.seconds:
            yield lines
            lines = []
    if held.strip() and not stop.is_set():
        lines.append(held)
    if lines:
        yield lines


def _chunks(feed: Feed, stop: Event) -> Iterator[bytes]:
    """Bytes as they come; nothing (b"") now and then, so that the receiver may look at the clock."""
    regular = stat.S_ISREG(os.fstat(feed.descriptor).st_mode)
    while not stop.is_set():
        if not regular and not select.select([feed.descriptor], [], [], POLL_SECONDS)[0]:
            yield b""
            continue
        chunk = os.read(feed.descriptor, CHUNK)
        if not chunk:
            if not feed.follow:
                return
            stop.wait(POLL_SECONDS)
        yield chunk
