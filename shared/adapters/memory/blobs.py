"""Blobs in a dictionary."""

from __future__ import annotations

from hashlib import sha256

from shared.runtime.ports import BlobMissing


class MemoryBlobs:
    """Content-addressed bytes, for as long as the process lives."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        digest = sha256(data).hexdigest()
        self._blobs[digest] = data
        return digest

    def get(self, digest: str) -> bytes:
        try:
            return self._blobs[digest]
        except KeyError:
            raise BlobMissing(f"no blob {digest} in memory; was it written to another store?") from None

    def contains(self, digest: str) -> bool:
        return digest in self._blobs
