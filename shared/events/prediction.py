"""What prediction says about its own quality."""

from __future__ import annotations

from typing import ClassVar

from shared.domain.quality import Quality
from shared.events.base import Event


class PerformanceCounted(Event):
    """Labelled rows of one lane, joined with what the version in service had predicted for them.

    ``first`` and ``last`` are positions in the lane's sequence of labelled rows (``last`` exclusive): the clock of
    everything that learns from labels. A slice never crosses a step, so lanes merge step by step.
    """

    type: ClassVar[str] = "driftloop.performance.counted.v1"
    identity: ClassVar[tuple[str, ...]] = ("lane", "first")

    file: str
    generation: int
    lane: int
    first: int
    last: int
    row: int
    """Highest received position of the lane so far, plus one."""
    joined_row: int
    """Highest received position among these rows, plus one: where the labels have come to."""
    rows_from: int
    """Lowest offset of ``records.validated`` that holds one of these rows."""
    rows_offset: int
    """Records up to this offset of ``records.validated`` (exclusive) had been read."""
    labels_from: int = 0
    """Lowest offset of ``labels`` that holds one of their labels: a label may come before its record."""
    labels_offset: int
    """Messages up to this offset of ``labels`` (exclusive) had been read; 0 where labels are inline."""
    time: int | None = None
    """Latest event time among the rows received so far, in milliseconds; None where the contract names none."""
    serving: str | None = None
    """The version in service when this was counted; late labels may belong to earlier ones."""
    versions: dict[str, Quality]
    """Counts by the version that predicted the row; rows that no version predicted are in none of them."""
    losses: tuple[float, ...] = ()
    """Single losses in label order, only where the pipeline file names a plug-in detector that needs them."""
    conflicting: int = 0
    """Second labels so far that differ from the first; the first one counts."""
    unlabelled: int = 0
    """Rows given up so far: no label came within the pipeline's ``label_wait``, or while there was room to wait."""

    @property
    def labels(self) -> int:
        return self.last - self.first
