"""Digests: the name of a blob is the hash of its bytes, so the same name is always the same value."""

from __future__ import annotations

import hashlib


def digest(data: bytes) -> str:
    """SHA-256 of the bytes, in lower-case hexadecimal (64 characters)."""
    return hashlib.sha256(data).hexdigest()
