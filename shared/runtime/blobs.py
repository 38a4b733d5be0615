"""`BlobReader`: opens immutable blobs for the cores; each is fetched and decoded once while it stays in use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from shared.runtime.ports import Blobs

Value = TypeVar("Value")


class BlobReader:
    """The ``read`` that cores are handed. Keeps the ``capacity`` most recently used (digest, decoder) pairs.

    Cores share the decoded values, so they must not change them.
    """

    def __init__(self, blobs: Blobs, capacity: int = 256) -> None:
        self._blobs = blobs
        self._capacity = capacity
        self._decoded: OrderedDict[tuple[str, Callable[[bytes], Any]], Any] = OrderedDict()

    def __call__(self, digest: str, decode: Callable[[bytes], Value]) -> Value:
        key = (digest, decode)
        if key in self._decoded:
            self._decoded.move_to_end(key)
        else:
            self._decoded[key] = decode(self._blobs.get(digest))
            if len(self._decoded) > self._capacity:
                self._decoded.popitem(last=False)
        return self._decoded[key]  # type: ignore[no-any-return]
