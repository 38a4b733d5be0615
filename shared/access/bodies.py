"""Bodies: read as they stream in, within limits of size and time, unpacked within the same limit."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Lock

import pyarrow as pa
from anyio import to_thread
from fastapi import Request

from shared.access.problems import Problem

MEGABYTE = 1 << 20
CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}
"""Content codings (RFC 9110, 8.4.1) and Arrow's names for them."""
PIECE = 64 << 10
"""Bytes that are unpacked before they are counted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a door takes in. ``held_bytes`` bounds the bodies of all requests that are being read or answered."""

    body_bytes: int = 16 * MEGABYTE
    model_bytes: int = 64 * MEGABYTE
    held_bytes: int = 128 * MEGABYTE
    body_seconds: float = 30.0
    answer_seconds: float = 30.0


class Intake:
    """Bodies count against ``held_bytes`` from their first byte, packed and unpacked, until their request is
    answered."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0
        self._lock = Lock()  # Bodies are unpacked on threads of their own.

    @asynccontextmanager
    async def body(self, request: Request, at_most: int) -> AsyncIterator[bytes]:
        """The whole body, unpacked. Raises `Problem` 408, 413, 415, 429 or 400."""
        hold = _Hold(self)
        try:
            coding = _coding(request)
            packed = await self._received(request, at_most, hold)
            if coding is None:
                yield packed
                return
            yield await to_thread.run_sync(unpacked, packed, coding, at_most, hold.add)
        finally:
            self.hold(-hold.size)

    def hold(self, size: int) -> None:
        with self._lock:
            if self._held + size > self._limits.held_bytes:
                message = "this process holds as many bytes of requests as it may; try again later"
                raise Problem(429, "too-many-bytes", message, headers={"Retry-After": "1"})
            self._held += size

    async def _received(self, request: Request, at_most: int, hold: _Hold) -> bytes:
        # A body that says it's too large is refused before its first byte, and a client that asked first never sends.
        if int(request.headers.get("content-length") or 0) > at_most:
            raise too_large(at_most)
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                return await _collected(request, at_most, hold)
        except TimeoutError:
            detail = f"the body did not arrive within {self._limits.body_seconds:g} s; nothing of it was taken"
            raise Problem(408, "body-too-slow", detail, headers={"Connection": "close"}) from None


class _Hold:
    """What one request holds."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.size = 0

    def add(self, size: int) -> None:
        self._intake.hold(size)
        self.size += size


async def _collected(request: Request, at_most: int, hold: _Hold) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > at_most:
            raise too_large(at_most)
        hold.add(len(chunk))
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _coding(request: Request) -> str | None:
    given = request.headers.get("content-encoding", "identity").strip().lower()
    if given in ("", "identity"):
        return None
    if given not in CODINGS:
        detail = f"content encoding {given[:40]!r} is not read here; send the body plain, or as gzip or zstd"
        raise Problem(415, "unknown-encoding", detail, headers={"Accept-Encoding": "gzip, zstd"})
    return CODINGS[given]


def unpacked(packed: bytes, coding: str, at_most: int, hold: Callable[[int], None]) -> bytes:
    """Stops at the limit, however much would come: a kilobyte can unpack to a gigabyte.

    ``hold`` is told of each piece as it comes, and may refuse it: many bodies may unpack at once.
    """
    try:
        # Closed on the way out: a refusal's traceback would keep what was unpacked so far, and nobody counts it then.
        with io.BytesIO() as body, pa.CompressedInputStream(pa.BufferReader(packed), coding) as stream:
            while piece := stream.read(min(PIECE, at_most + 1 - body.tell())):
                if body.tell() + len(piece) > at_most:
                    raise too_large(at_most)
                hold(len(piece))
                body.write(piece)
            return body.getvalue()
    except (OSError, pa.ArrowException):
        raise Problem(400, "unreadable-encoding", f"the body is no whole {coding} stream; pack it again") from None


def too_large(at_most: int) -> Problem:
    detail = f"the body is larger than {at_most:,} bytes, unpacked or as sent; cut it into several requests"
    return Problem(413, "body-too-large", detail, headers={"Connection": "close"}, limit=at_most)
