"""Real streams and small tables as contract, Arrow table, baseline and epochs, for the tests of the input detectors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv

from shared.domain.baseline import Baseline, baseline_of
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.profile import Profile, Rejects, profile_of
from tests.streams import stream

LABELS = ("class", "cnt")


def load(name: str, *, without: tuple[str, ...] = ()) -> pa.Table:
    """A recorded stream's features: numbers as floats, the rest as strings, dates left out."""
    with pa.input_stream(stream(name), compression="gzip") as source:
        table = pa.csv.read_csv(source)
    kept = [
        field.name
        for field in table.schema
        if field.name not in (*LABELS, *without) and not pa.types.is_temporal(field.type)
    ]
    table = table.select(kept)
    columns = [column.cast(pa.string() if pa.types.is_string(column.type) else pa.float64()) for column in table]
    return pa.table(columns, names=kept).combine_chunks()


def contract_of(table: pa.Table) -> Contract:
    kinds = {pa.float64(): Kind.NUMBER, pa.int64(): Kind.INTEGER, pa.bool_(): Kind.BOOLEAN}
    features = [
        Feature(name=field.name, kind=kinds.get(field.type, Kind.CATEGORY), nullable=True) for field in table.schema
    ]
    return Contract(features=tuple(features), label=Label(name="label"))


def baseline(table: pa.Table, generation: int = 1) -> Baseline:
    return baseline_of(contract_of(table), table, generation)


def epoch(table: pa.Table, base: Baseline, number: int = 0, *, rejected: Rejects = (), rejects: int = 0) -> Profile:
    """All rows of the table as one epoch; the first ``rejects`` of them are turned away."""
    accepted = np.arange(table.num_rows) >= rejects
    batch = table.combine_chunks().to_batches()[0]
    return profile_of(batch, base, accepted, rejected, lane=0, epoch=number, first=0)


def epochs(table: pa.Table, base: Baseline, rows: int) -> Iterator[Profile]:
    for number in range(table.num_rows // rows):
        yield epoch(table.slice(number * rows, rows), base, number)


def shuffled(table: pa.Table, seed: int) -> pa.Table:
    return table.take(np.random.default_rng(seed).permutation(table.num_rows))


def replaced(table: pa.Table, name: str, column: pa.ChunkedArray | pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
