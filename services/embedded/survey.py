"""What a recorded stream's columns hold: kinds, nulls, distinct values and ranges, in one pass over its batches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from services.ingestion.conversion import convert, kind_of
from shared.domain.contract import Kind
from shared.domain.design import ONE_HOT_LIMIT
from shared.domain.rows import ARROW_TYPES

DISTINCT_KEPT = 50_000
"""Distinct values that are told apart per column; a column with more of them counts as having "many"."""
NUMBER_SHARE = 0.95
"""Share of a column's values that have to be numbers for the others to be taken for bad cells."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column so far. ``kind`` is None while every value is null; the range is that of numbers and integers."""

    name: str
    rows: int = 0
    nulls: int = 0
    kind: Kind | None = None
    values: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    minimum: float | None = None
    maximum: float | None = None
    counts_rows: bool = True
    """Whether it is an integer that grows by one from row to row."""
    last: int | None = None
    numbers: int = 0
    """Values that read as numbers."""
    others: int = 0
    """Values that don't, blanks and nulls not among them."""

    @property
    def misfits(self) -> int:
        """Values that ingestion will refuse, because they are no numbers in a column of numbers."""
        return self.others if self.kind is Kind.NUMBER else 0

    @property
    def distinct(self) -> int:
        """Distinct values; beyond `DISTINCT_KEPT` that many or more."""
        return len(self.values)

    @property
    def unique(self) -> bool:
        """Whether no value is known to come twice; never said of more rows than values are told apart."""
        return not self.nulls and self.distinct == self.rows


@dataclass(frozen=True, slots=True)
class Survey:
    """All columns of a stream, in its order."""

    rows: int
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """KeyError if there is none of that name."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise KeyError(name)
        return found


def survey(batches: Iterable[pa.RecordBatch]) -> Survey:
    """Fold the batches, which need not be typed: text is looked at for what it says."""
    rows, columns = 0, tuple[Column, ...]()
    for batch in batches:
        columns = columns or tuple(Column(name) for name in batch.schema.names)
        columns = tuple(_extended(column, batch.column(column.name)) for column in columns)
        rows += batch.num_rows
    return Survey(rows, tuple(_settled(column) for column in columns))


def _settled(column: Column) -> Column:
    """What only all values together can tell: whether a column of text is one of numbers with a few bad cells.

    One of few values stays a category, as which it loses nothing: a model gets to see each of them.
    """
    share = column.numbers / max(column.numbers + column.others, 1)
    if column.kind is Kind.CATEGORY and column.distinct > ONE_HOT_LIMIT and share >= NUMBER_SHARE:
        return replace(column, kind=Kind.NUMBER, nulls=column.rows - column.numbers - column.others)
    if column.kind not in (Kind.NUMBER, Kind.INTEGER):
        return replace(column, minimum=None, maximum=None)
    return column


def _extended(column: Column, values: pa.Array) -> Column:
    kind = _common(column.kind, _kind(values, column.kind))
    ranged = _ranged(column, values, kind)
    return replace(
        ranged,
        rows=column.rows + len(values),
        nulls=column.nulls + _missing(values, kind),
        kind=kind,
        values=_merged(column.values, values),
    )


def _kind(values: pa.Array, known: Kind | None) -> Kind | None:
    """The batch's kind; a column once found to hold text stays text, whatever else it holds."""
    if known is Kind.CATEGORY or values.null_count == len(values):
        return known
    return kind_of(values)


def _common(left: Kind | None, right: Kind | None) -> Kind | None:
    if left is None or right is None or left is right:
        return left or right
    return Kind.NUMBER if {left, right} == {Kind.INTEGER, Kind.NUMBER} else Kind.CATEGORY


def _missing(values: pa.Array, kind: Kind | None) -> int:
    """Nulls as ingestion will count them: "NA" is one in a column of numbers, but a value in a column of text."""
    return int(values.null_count if kind is None else convert(values, ARROW_TYPES[kind]).values.null_count)


def _merged(known: pa.Array, values: pa.Array) -> pa.Array:
    if len(known) >= DISTINCT_KEPT:
        return known
    texts = convert(values, pa.string()).values.drop_null()
    return pc.unique(pa.concat_arrays([known, texts]))[:DISTINCT_KEPT]


def _ranged(column: Column, values: pa.Array, kind: Kind | None) -> Column:
    whole = kind is Kind.INTEGER
    converted = convert(values, ARROW_TYPES[Kind.INTEGER if whole else Kind.NUMBER])
    numbers, misfits = converted.values, converted.misfits
    column = replace(
        column,
        numbers=column.numbers + len(numbers) - numbers.null_count,
        others=column.others + (0 if misfits is None else int(misfits.sum())),
    )
    ends = pc.min_max(numbers).as_py()
    lows = [end for end in (column.minimum, ends["min"]) if end is not None]
    highs = [end for end in (column.maximum, ends["max"]) if end is not None]
    counted = replace(column, minimum=min(lows, default=None), maximum=max(highs, default=None))
    return _counting(counted, numbers, kind)


def _counting(column: Column, numbers: pa.Array, kind: Kind | None) -> Column:
    if not column.counts_rows or kind is not Kind.INTEGER or numbers.null_count or not len(numbers):
        return replace(column, counts_rows=False)
    whole = numbers if column.last is None else pa.concat_arrays([pa.array([column.last]), numbers])
    steps = pc.subtract(whole[1:], whole[:-1])
    counts = pc.all(pc.equal(steps, 1)).as_py() is not False
    return replace(column, counts_rows=counts, last=numbers[-1].as_py())
