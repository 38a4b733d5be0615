"""Raw columns to the contract's rows. The doors and the file reader share this code, so they can't disagree."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.ingestion.conversion import convert
from services.ingestion.identity import derived_ids
from services.ingestion.raw import Column, DeadRow, Mask, Numbers, RawRows, one_row, rows_of_table
from shared.domain.contract import Contract, Kind
from shared.domain.rows import ARROW_TYPES, ID, LONGEST_NAME, ingested_schema, labels_schema

WRONG_TYPE = "wrong-type"
MISSING_ID = "missing-id"
MISSING_LABEL = "missing-label"
INFINITE_LABEL = "infinite-label"
TOO_LONG = "too-long"
LONGEST = 1 << 19
"""Bytes of a row's text: every topic that rows go through has to take it."""

EXPECTED: dict[pa.DataType, str] = {
    ARROW_TYPES[Kind.NUMBER]: "is not a number",
    ARROW_TYPES[Kind.INTEGER]: "is not a whole number within 64 bits",
    ARROW_TYPES[Kind.CATEGORY]: "is not one value that can be written as text",
    ARROW_TYPES[Kind.BOOLEAN]: "is neither true, false, 0 nor 1",
    ARROW_TYPES[Kind.TIMESTAMP]: "is neither an RFC 3339 time nor epoch milliseconds",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Rows of which schema are wanted, and where their id comes from: a column, or (None) the place in the delivery.

    ``label``: its column, in the schema or not. ``required`` columns hold no null, ``finite`` ones no infinity.
    """

    schema: pa.Schema
    id_column: str | None
    label: str
    required: Collection[str] = ()
    finite: Collection[str] = ()

    @property
    def wanted(self) -> tuple[str, ...]:
        """Columns worth reading, in the schema's order."""
        names = [name for name in self.schema.names if name != ID]
        return tuple(dict.fromkeys([*([self.id_column] if self.id_column else []), *names]))


@dataclass(frozen=True, slots=True)
class _Fault:
    """A column's rows that can't go on, and what to say about them."""

    rows: Mask
    reason: str
    message: str


def records_target(contract: Contract, *, ids_given: bool = False) -> Target:
    """``ids_given``: rows that no column names bring the ``_id`` that the door gave them the first time."""
    id_column = contract.record_id or (ID if ids_given else None)
    return Target(ingested_schema(contract), id_column, contract.label.name, finite=_finite(contract))


def labels_target(contract: Contract) -> Target:
    """Late labels name their row: by the contract's id column, or by the ``_id`` that the door gave it."""
    name = contract.label.name
    return Target(labels_schema(contract), contract.record_id or ID, name, (name,), _finite(contract))


def _finite(contract: Contract) -> tuple[str, ...]:
    """An infinite target would end every training on its rows, and every sum of losses."""
    return (contract.label.name,) if contract.label.task == "regression" else ()


def typed_rows(raw: RawRows, target: Target, batch_id: str) -> tuple[pa.RecordBatch, tuple[DeadRow, ...]]:
    """Rows of the target's schema, and the dead ones in the order of the delivery."""
    faults: list[_Fault] = []
    arrays = [
        _ids(raw, target, batch_id, faults) if field.name == ID else _column(raw, field, target, faults)
        for field in target.schema
    ]
    rows = pa.RecordBatch.from_arrays(arrays, schema=target.schema)
    _refuse_long_ones(rows, faults)
    _refuse_long_names(rows, target, faults)
    if not faults:
        return rows, raw.dead
    kept, dead = _without_faulty(rows, raw.numbers, faults)
    return kept, tuple(sorted((*raw.dead, *dead), key=lambda each: each.row))


def typed_batch(
    batch: pa.RecordBatch, contract: Contract, batch_id: str, first: int = 0
) -> tuple[pa.RecordBatch, tuple[DeadRow, ...]]:
    """Rows of a loosely typed batch (see `sources.read_batches`) as `ingested_schema`, and the dead ones.

    ``first``: the place in the delivery ``batch_id`` of the batch's first row.
    """
    raw = rows_of_table(pa.Table.from_batches([batch]), batch.schema.names, lambda row: one_row(batch, row - first))
    return typed_rows(dataclasses.replace(raw, numbers=raw.numbers + first), records_target(contract), batch_id)


def _ids(raw: RawRows, target: Target, batch_id: str, faults: list[_Fault]) -> pa.Array:
    if target.id_column is None:
        return derived_ids(batch_id, raw.numbers)
    ids = _column(raw, pa.field(target.id_column, pa.string()), target, faults)
    _refuse_rounded(raw, target.id_column, faults)
    # Blank text names nothing, and the second of two such rows would pass for a duplicate.
    ids = pc.if_else(pc.equal(pc.utf8_trim_whitespace(ids), ""), pa.scalar(None, pa.string()), ids)
    _refuse_nulls(ids, MISSING_ID, f"column {target.id_column!r} names the record and is empty", faults)
    return ids


def _column(raw: RawRows, field: pa.Field, target: Target, faults: list[_Fault]) -> pa.Array:
    """One column of the schema. A column that the data lacks is all null, which is for validation to judge."""
    if field.name not in raw.columns:
        values = pa.nulls(len(raw.numbers), field.type)
    else:
        converted = convert(raw.columns[field.name], field.type)
        values = converted.values
        for misfits in (converted.misfits, raw.nested.get(field.name)):
            if misfits is not None and misfits.any():
                faults.append(_Fault(misfits, WRONG_TYPE, f"column {field.name!r} {EXPECTED[field.type]}"))
    if field.name in target.finite:
        _refuse_infinities(values, field.name, faults)
    if field.name in target.required:
        _refuse_nulls(values, MISSING_LABEL, f"column {field.name!r} is the label and is empty", faults)
    return values


def _refuse_rounded(raw: RawRows, name: str, faults: list[_Fault]) -> None:
    """Two ids that are one number after their way through floats would be one record."""
    inexact = raw.rounded.get(name)
    if inexact is None and name in raw.columns:
        inexact = _rounded(raw.columns[name])
    if inexact is not None and inexact.any():
        told = f"column {name!r} names the record and is a number that floats can't tell from others: send ids as text"
        faults.append(_Fault(inexact, WRONG_TYPE, told))


def _rounded(column: Column) -> Mask | None:
    """Which numbers others may have become: floats with a fraction, or with more digits than floats hold."""
    if not pa.types.is_floating(column.type):
        return None
    numbers = np.asarray(column)
    with np.errstate(invalid="ignore"):
        whole = (np.abs(numbers) < 2.0 ** (np.finfo(numbers.dtype).nmant + 1)) & (np.floor(numbers) == numbers)
    return np.asarray(~whole & ~np.isnan(numbers), dtype=np.bool_)


def _refuse_nulls(values: pa.Array, reason: str, message: str, faults: list[_Fault]) -> None:
    if values.null_count:
        faults.append(_Fault(np.asarray(values.is_null().to_numpy(zero_copy_only=False)), reason, message))


def _refuse_infinities(values: pa.Array, name: str, faults: list[_Fault]) -> None:
    infinite = np.isinf(np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64))
    if infinite.any():
        faults.append(_Fault(infinite, INFINITE_LABEL, f"column {name!r} is the label and is infinite"))


def _refuse_long_ones(rows: pa.RecordBatch, faults: list[_Fault]) -> None:
    if rows.nbytes <= LONGEST:
        return
    lengths = [pc.fill_null(pc.binary_length(column), 0) for column in rows.columns if column.type == pa.string()]
    long = np.sum([np.asarray(each, dtype=np.int64) for each in lengths], axis=0) > LONGEST
    if long.any():
        faults.append(_Fault(long, TOO_LONG, f"the row's text takes more than {LONGEST:,} bytes"))


def _refuse_long_names(rows: pa.RecordBatch, target: Target, faults: list[_Fault]) -> None:
    for name in (ID, target.label):
        if name in rows.schema.names and rows.schema.field(name).type == pa.string():
            lengths = pc.fill_null(pc.binary_length(rows.column(name)), 0)
            long = np.asarray(lengths, dtype=np.int64) > LONGEST_NAME
            if long.any():
                what = "id" if name == ID else f"label {name!r}"
                faults.append(_Fault(long, TOO_LONG, f"the {what} takes more than {LONGEST_NAME:,} bytes"))


def _without_faulty(
    rows: pa.RecordBatch, numbers: Numbers, faults: Sequence[_Fault]
) -> tuple[pa.RecordBatch, tuple[DeadRow, ...]]:
    """The first fault of a row, in the schema's order, is the one that is told."""
    told = np.full(len(numbers), -1)
    for place in reversed(range(len(faults))):
        told[faults[place].rows] = place
    lost = np.flatnonzero(told >= 0)
    dead = tuple(
        DeadRow(int(numbers[row]), faults[told[row]].reason, faults[told[row]].message) for row in lost.tolist()
    )
    return rows.filter(pa.array(told < 0)), dead
