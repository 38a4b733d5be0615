"""Where a message goes: the partition is a function of (pipeline, lane), the same in every client and language."""

from __future__ import annotations

from functools import lru_cache
from zlib import crc32

LANE = "lane"
"""Header that names the lane; a message without it belongs to the pipeline as a whole."""


@lru_cache(maxsize=4096)
def partition_of(pipeline: str, lane: int | None, partitions: int) -> int:
    """Lanes of one pipeline take consecutive partitions, so that they never share one while others stand idle.

    Changing this function, or a topic's partition count, tears a pipeline's order apart: never do.
    """
    return (crc32(pipeline.encode()) + (lane or 0)) % partitions
