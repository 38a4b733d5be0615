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
    """(rows, matrix columns) floats; a missing value is NaN, an unseen category all zeros."""
    parts = [_part(column, rows.column(column.name)) for column in columns]
    return np.column_stack(parts) if parts else np.empty((rows.num_rows, 0))


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
    return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _frequent(values: pa.ChunkedArray) -> tuple[str, ...]:
    counts = sorted((-c["counts"], c["values"]) for c in pc.value_counts(values).to_pylist() if c["values"] is not None)
    return tuple(value for _, value in counts[:ONE_HOT_LIMIT])
