"""A small stream of sensors that one thing goes wrong with, and its life through the whole loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import DriftPolicy, Estimator, FaultPolicy, InputDriftPolicy, Pipeline, RetrainingPolicy
from tests.unit.embedded.lives import Life, live

ROWS, EPOCH, WINDOW = 1200, 50, 200
BATCH = 25
NUMBERS = ("heat", "flow", "load", "tilt", "hum")
Change = Callable[[pa.Table], pa.Table]


def pipeline(*, epoch: int = EPOCH, swap_blocks: bool = False) -> Pipeline:
    """``parts`` has a declared range and no nulls; the rest may be null. Checks ask for a training once per window."""
    numbers = tuple(Feature(name=name, kind=Kind.NUMBER, nullable=True) for name in NUMBERS)
    parts = Feature(name="parts", kind=Kind.NUMBER, minimum=0, maximum=100)
    mode = Feature(name="mode", kind=Kind.CATEGORY, nullable=True)
    return Pipeline(
        name="press",
        contract=Contract(features=(*numbers, parts, mode), label=Label(name="good")),
        estimator=Estimator(path="sklearn.tree.DecisionTreeClassifier", parameters={"max_depth": 4}),
        window=WINDOW,
        drift=DriftPolicy(inputs=InputDriftPolicy(epoch=epoch), faults=FaultPolicy(swap_blocks=swap_blocks)),
        retraining=RetrainingPolicy(check_after=0.5, check_again=0.25),
    )


def sound(rows: int = ROWS, seed: int = 1) -> pa.Table:
    """Independent sensors, each at a level and spread of its own; heat and load together make what is good."""
    random = np.random.default_rng(seed)
    heat, load = random.normal(60, 4, rows), random.normal(7, 1, rows)
    good = (heat - 60) / 4 + (load - 7) + random.normal(0, 0.3, rows) > 0
    return pa.table(
        {
            "heat": heat,
            "flow": random.normal(250, 20, rows),
            "load": load,
            "tilt": random.normal(0, 1, rows),
            "hum": np.exp(random.normal(0, 0.4, rows)),
            "parts": random.uniform(20, 80, rows),
            "mode": np.array(["fast", "slow", "idle"])[random.integers(0, 3, rows)],
            "good": np.where(good, "yes", "no"),
        }
    )


def between(table: pa.Table, first: int, last: int, change: Change) -> pa.Table:
    """The table with rows [first, last) changed."""
    return pa.concat_tables([table.slice(0, first), change(table.slice(first, last - first)), table.slice(last)])


def scaled(column: str, factor: float) -> Change:
    return lambda rows: _with(rows, column, pc.multiply(rows[column], factor))


def moved(column: str, by: float) -> Change:
    return lambda rows: _with(rows, column, pc.add(rows[column], by))


def without(column: str, tenths: int) -> Change:
    """So many of every ten values are null, scattered evenly."""
    return lambda rows: _with(rows, column, pc.if_else(_tenths(rows, tenths), None, rows[column]))


def out_of_range(column: str, tenths: int) -> Change:
    return lambda rows: _with(rows, column, pc.if_else(_tenths(rows, tenths), 1e4, rows[column]))


def swapped(one: str, other: str) -> Change:
    return lambda rows: _with(_with(rows, one, rows[other]), other, rows[one])


def life_of(table: pa.Table, of: Pipeline | None = None) -> Life:
    return live(of or pipeline(), iter(table.combine_chunks().to_batches(max_chunksize=BATCH)), 0)


def _tenths(rows: pa.Table, tenths: int) -> pa.Array:
    return pa.array(np.arange(rows.num_rows) * 7 % 10 < tenths)


def _with(rows: pa.Table, column: str, values: pa.ChunkedArray) -> pa.Table:
    place = rows.column_names.index(column)
    return rows.set_column(place, rows.schema.field(place), values.cast(rows.schema.field(place).type))
