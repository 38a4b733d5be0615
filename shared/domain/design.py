"""Rows to the numeric matrix that estimators read: fixed columns, learnt from the training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shared.domain.contract import Contract, Kind

ONE_HOT_LIMIT = 32
"""Categories that get a column each, the most frequent first; the rest share none of them (all zeros)."""

LARGEST = float(np.finfo(np.float32).max)
"""Where numbers end for a model: scikit-learn's trees read float32 and refuse what it can't hold, and one such row
would stop every training that it is in."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """One feature's part of the matrix. ``categories`` is empty but for categories."""

    name: str
    kind: str
    categories: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}={value}" for value in self.categories) or (self.name,)


def learn_columns(contract: Contract, rows: pa.Table) -> tuple[Column, ...]:
    """Timestamps are left out: a model that reads the clock can't meet the time it was trained in again."""
    return tuple(
        Column(feature.name, feature.kind.value, _frequent(rows[feature.name]) if feature.kind is Kind.CATEGORY else ())
        for feature in contract.features
        if feature.kind is not Kind.TIMESTAMP
    )


def design_matrix(columns: tuple[Column, ...], rows: pa.Table | pa.RecordBatch) -> Matrix:
    """(rows, matrix columns) floats; a missing value is NaN, an unseen category all zeros. A column that the rows don't
    have, since the contract has given it up, is missing in each."""
    parts = [_part(column, _values(column, rows)) for column in columns]
    return np.column_stack(parts) if parts else np.empty((rows.num_rows, 0))


def _values(column: Column, rows: pa.Table | pa.RecordBatch) -> pa.Array:
    if column.name in rows.schema.names:
        return rows.column(column.name)
    return pa.nulls(rows.num_rows, pa.string() if column.kind == Kind.CATEGORY else pa.float64())


def within(values: Matrix) -> Matrix:
    """What lies beyond `LARGEST`, on either side, moved there."""
    return np.clip(values, -LARGEST, LARGEST)


def _part(column: Column, values: pa.Array) -> Matrix:
    if column.kind == Kind.CATEGORY:
        return (
            np.column_stack(
                [
                    pc.fill_null(pc.equal(values, category), False).to_numpy(zero_copy_only=False)
                    for category in column.categories
                ]
            ).astype(np.float64)
            if column.categories
            else np.zeros((len(values), 1))
        )
    # A cast of an integer or boolean column keeps its nulls, and to_numpy turns nulls of a float column into NaN.
    # A safe cast would refuse the whole batch for one integer beyond 2**53.
    numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return within(np.asarray(numbers, dtype=np.float64))


def _frequent(values: pa.ChunkedArray) -> tuple[str, ...]:
    counts = sorted((-c["counts"], c["values"]) for c in pc.value_counts(values).to_pylist() if c["values"] is not None)
    return tuple(value for _, value in counts[:ONE_HOT_LIMIT])
