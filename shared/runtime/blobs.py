"""`BlobReader`: opens immutable blobs for the cores; each is fetched and decoded once while it stays in use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from shared.runtime.ports import Blobs

Value = TypeVar("Value")

LARGEST = 32 << 20
"""Bytes of stored blobs whose values are kept: a forest takes eight times its blob, and a service has one GiB."""


class BlobReader:
    """The ``read`` that cores are handed. Keeps the most recently used (digest, decoder) pairs: ``capacity`` of them,
    and no more than came from ``largest`` bytes, but always the latest.

    Cores share the decoded values, so they must not change them.
    """

    def __init__(self, blobs: Blobs, capacity: int = 256, largest: int = LARGEST) -> None:
        self._blobs = blobs
        self._capacity = capacity
        self._largest = largest
        self._bytes = 0
        self._decoded: OrderedDict[tuple[str, Callable[[bytes], Any]], tuple[Any, int]] = OrderedDict()

    def __call__(self, digest: str, decode: Callable[[bytes], Value]) -> Value:
        key = (digest, decode)
        if key in self._decoded:
            self._decoded.move_to_end(key)
        else:
            blob = self._blobs.get(digest)
            self._decoded[key] = decode(blob), len(blob)
            self._bytes += len(blob)
            self._forget()
        return self._decoded[key][0]  # type: ignore[no-any-return]

    def _forget(self) -> None:
        while len(self._decoded) > max(1, self._capacity) or (self._bytes > self._largest and len(self._decoded) > 1):
            _, (_, size) = self._decoded.popitem(last=False)
            self._bytes -= size
