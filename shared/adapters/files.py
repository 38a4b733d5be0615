"""Blobs as files: ``<root>/<first two digits>/<digest>``, whole or absent after a crash at any moment."""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path

from shared.runtime.ports import BlobDamaged, BlobMissing


class FileBlobs:
    """A content-addressed directory; several processes may write to it at once."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes) -> str:
        digest = sha256(data).hexdigest()
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not _holds(path, data):
            os.replace(_write_synced(path.parent, data), path)
        # A rename, or a new folder, is durable only when the directory that lists it is.
        for folder in (path.parent, self._root, self._root.parent):
            _sync_folder(folder)
        return digest

    def get(self, digest: str) -> bytes:
        try:
            data = self._path(digest).read_bytes()
        except FileNotFoundError:
            raise BlobMissing(f"no blob {digest} below {self._root}; was it written to another store?") from None
        if sha256(data).hexdigest() != digest:
            raise BlobDamaged(f"blob {self._path(digest)} no longer has its digest; delete it and store it again")
        return data

    def contains(self, digest: str) -> bool:
        return self._path(digest).is_file()

    def _path(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise BlobMissing(f"{digest!r} is no SHA-256 digest; digests come from `put`")
        return self._root / digest[:2] / digest


def _holds(path: Path, data: bytes) -> bool:
    """A file of that name is not enough: one that a failing disk tore is written again."""
    return path.is_file() and path.read_bytes() == data


def _write_synced(folder: Path, data: bytes) -> str:
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(name)
        raise
    return name


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
