"""Where labelled rows lie in the log: marks that turn "the last 1,000 labelled rows" into frozen offset ranges.

Each slice of performance counts leaves one mark per lane.  Marks older than the longest memory are dropped, so the
index stays small; rows are never in it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from shared.events.prediction import PerformanceCounted
from shared.events.training import DataRange, LaneRange


@dataclass(frozen=True, slots=True)
class Mark:
    """Labelled rows of a lane up to ``label`` lie at offsets below ``rows_to`` (and ``labels_to``)."""

    label: int
    row: int
    rows_from: int
    rows_to: int
    labels_to: int
    labels_from: int = 0

    @property
    def read(self) -> tuple[int, int]:
        """How far both topics had been read; the marks of one message share it."""
        return self.rows_to, self.labels_to


Marks = tuple[tuple[Mark, ...], ...]
"""Per lane, in label order."""


def add_mark(marks: Marks, counted: PerformanceCounted, keep: int) -> Marks:
    """With the slice's mark added and those more than ``keep`` labelled rows old dropped; a repeat adds nothing."""
    lanes = list(marks) + [()] * (counted.lane + 1 - len(marks))
    mine = lanes[counted.lane]
    if mine and counted.last <= mine[-1].label:
        return marks
    mark = Mark(
        counted.last,
        counted.row,
        counted.rows_from,
        counted.rows_offset,
        counted.labels_offset,
        counted.labels_from,
    )
    # One mark always stays below the kept range: it tells where the range's first row can begin.
    stale = bisect_right(mine, counted.last - keep, key=lambda m: m.label) - 1
    lanes[counted.lane] = (*mine[max(stale, 0) :], mark)
    return tuple(lanes)


def labels_seen(marks: Marks) -> int:
    """Labelled rows over all lanes."""
    return sum(lane[-1].label for lane in marks if lane)


def rows_seen(marks: Marks) -> int:
    """Received rows over all lanes, as far as performance has told."""
    return sum(lane[-1].row for lane in marks if lane)


def freeze(marks: Marks, first: int, last: int, excluded: tuple[tuple[int, int], ...] = ()) -> DataRange:
    """Labelled rows [first, last) over all lanes, evenly from each, as offset ranges."""
    lanes = len(marks)
    parts = tuple(
        _freeze_lane(number, lane, first // lanes, last // lanes) for number, lane in enumerate(marks) if lane
    )
    return DataRange(first_label=first, last_label=last, lanes=parts, excluded=excluded)


def _freeze_lane(number: int, marks: tuple[Mark, ...], first: int, last: int) -> LaneRange:
    end = marks[min(bisect_left(marks, last, key=lambda m: m.label), len(marks) - 1)]
    before = _last_mark_before(marks, first)
    counted = before.label if before else 0
    held = [mark for mark in marks if counted < mark.label <= end.label]
    rows_from = min((mark.rows_from for mark in held), default=end.rows_to)
    first = max(first, counted)
    return LaneRange(
        lane=number,
        first=first,
        last=max(first, min(last, end.label)),
        rows_from=rows_from,
        rows_to=end.rows_to,
        labels_from=_labels_since(marks, rows_from),
        labels_to=end.labels_to,
        labelled=counted,
        joins=_joins(before, held),
    )


def _joins(before: Mark | None, held: list[Mark]) -> tuple[tuple[int, int], ...]:
    """How far both topics were read before the range, by its first message, and before its last one."""
    ends = sorted({mark.read for mark in held})
    return tuple(dict.fromkeys((before.read if before else (0, 0), *ends[:1], *ends[-2:-1])))


def _labels_since(marks: tuple[Mark, ...], rows_from: int) -> int:
    """Labels since the first one of any row that the range's messages hold: only so are second labels known."""
    older = [mark.labels_to for mark in marks if mark.rows_to <= rows_from]
    since = [mark.labels_from for mark in marks if mark.rows_to > rows_from]
    return min([older[-1] if older else marks[0].labels_from, *since])


def _last_mark_before(marks: tuple[Mark, ...], first: int) -> Mark | None:
    """The last mark at or below ``first`` that ends its message: counting can start right after it."""
    place = bisect_right(marks, first, key=lambda m: m.label)
    for number in range(place - 1, -1, -1):
        following = marks[number + 1] if number + 1 < len(marks) else None
        if following is None or following.read != marks[number].read:
            return marks[number]
    return None
