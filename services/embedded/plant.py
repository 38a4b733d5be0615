"""The demo's stream: a simulated bottling plant whose quality problem changes in every way that streams change.

A sensor log is kept for every audited crate, and the laboratory says later whether the crate passed or failed.
Crates wait in a cold store and are logged in no particular order, so neighbouring records are independent of each
other, whatever shift filled them.  What the plant goes through (`Plant.truth` has the rows):

* *abrupt*: caps from another supplier. Before, loose caps leaked; the new ones are set tighter and crack when tight.
* *fault*: the pressure sensor reports centibar instead of bar for a while. The crates are what they were.
* *recurring*: an export campaign, twice. More juice and syrup, and for these warm filling is good instead of bad.
* *gradual*: the filling valves wear out. Vibration rises, and low pressure becomes what spoils a crate.

Rows are drawn in blocks with a generator of their own, so that a stream is the same however it is cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.random import Generator
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
ChangeKind = Literal["abrupt", "gradual", "recurring", "fault"]

BLOCK = 2048
START = datetime(2025, 1, 6, tzinfo=UTC)
SECONDS_BETWEEN_ROWS = 600
NULL_SHARE = 0.01
UNIT_ERROR = 100.0

CAPS = 0.22
FAULT = (0.32, 0.345)
CAMPAIGNS = ((0.40, 0.52), (0.62, 0.74))
WEAR = (0.80, 0.90)
"""When things happen, as shares of the stream."""

PRODUCTS = ("cola", "juice", "lemonade", "syrup", "water")
USUAL_MIX = (0.30, 0.10, 0.25, 0.05, 0.30)
CAMPAIGN_MIX = (0.15, 0.35, 0.15, 0.25, 0.10)
SHIFTS = ("early", "late", "night")
OPERATORS = (("Ada", "Ben", "Cem"), ("Dora", "Emil", "Fay"), ("Gus", "Hana"))
SUGAR = np.array([1.0, 1.2, 0.9, 1.8, 0.0])


@dataclass(frozen=True, slots=True)
class Change:
    """One true change of the plant, for reports and tests; both rows belong to it.

    ``last_row`` is the last record before things are as they were.  What never goes back ends where it is complete:
    an abrupt change has one row, a gradual one its transition.
    """

    kind: ChangeKind
    first_row: int
    last_row: int
    says: str


@dataclass(frozen=True, slots=True)
class Plant:
    """A seeded stream of ``rows`` records. The label of row i is known once row ``i + label_delay`` has been logged."""

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("crate", pa.string()),
            ("logged_at", pa.timestamp("us", "UTC")),
            ("pressure_bar", pa.float64()),
            ("temperature_c", pa.float64()),
            ("torque_nm", pa.float64()),
            ("vibration_mm_s", pa.float64()),
            ("bottles_per_minute", pa.int64()),
            ("stops", pa.int64()),
            ("product", pa.string()),
            ("shift", pa.string()),
            ("operator", pa.string()),
            ("cleaned", pa.bool_()),
            ("quality", pa.string()),
        ]
    )

    seed: int = 0
    rows: int = 12_000
    label_delay: int = 100

    def __post_init__(self) -> None:
        if self.seed < 0 or self.rows < 100 or self.label_delay < 0:
            raise ValueError(f"a plant needs a seed and a label delay of 0 or more, and 100 rows or more: {self}")

    def batches(self, rows_per_batch: int = 1000) -> Iterator[pa.RecordBatch]:
        """The stream in order, label included; the last batch may be shorter."""
        if rows_per_batch < 1:
            raise ValueError(f"rows_per_batch has to be 1 or more; it is {rows_per_batch}")
        held = self.schema.empty_table()
        for block in range(-(-self.rows // BLOCK)):
            held = pa.concat_tables([held, pa.Table.from_batches([_block(self, block)])])
            ready = held.num_rows // rows_per_batch * rows_per_batch
            for first in range(0, ready, rows_per_batch):
                yield _one_batch(held.slice(first, rows_per_batch))
            held = held.slice(ready)
        if held.num_rows:
            yield _one_batch(held)

    def truth(self) -> tuple[Change, ...]:
        """The true changes, in the order in which they begin."""
        caps = _row(self, CAPS)
        changes = [
            Change("abrupt", caps, caps, "caps from another supplier: tight ones crack, loose ones no longer leak")
        ]
        changes.append(_span(self, "fault", FAULT, "the pressure sensor reports centibar instead of bar (x 100)"))
        for number, when in enumerate(CAMPAIGNS, 1):
            says = f"export campaign {number}: more juice and syrup, and warm filling is good instead of bad"
            changes.append(_span(self, "recurring", when, says))
        changes.append(_span(self, "gradual", WEAR, "the valves wear out: vibration rises, low pressure spoils crates"))
        return tuple(changes)

    def pipeline_yaml(self) -> str:
        """A pipeline file for this stream."""
        return resources.files("services.embedded").joinpath("plant.yaml").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class _Plan:
    """How far each change has gone, per row: 0 not at all, 1 wholly."""

    row: NDArray[np.int64]
    caps: Numbers
    fault: Numbers
    campaign: Numbers
    wear: Numbers


def _row(plant: Plant, share: float) -> int:
    return round(plant.rows * share)


def _span(plant: Plant, kind: ChangeKind, when: tuple[float, float], says: str) -> Change:
    return Change(kind, _row(plant, when[0]), _row(plant, when[1]) - 1, says)


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]


def _plan(plant: Plant, block: int) -> _Plan:
    row = np.arange(block * BLOCK, min((block + 1) * BLOCK, plant.rows))
    first, last = (_row(plant, share) for share in WEAR)
    return _Plan(
        row,
        caps=(row >= _row(plant, CAPS)).astype(float),
        fault=_within(plant, row, FAULT),
        campaign=sum((_within(plant, row, when) for when in CAMPAIGNS), np.zeros(row.size)),
        wear=np.clip((row - first + 1) / (last - first), 0.0, 1.0),
    )


def _within(plant: Plant, row: NDArray[np.int64], when: tuple[float, float]) -> Numbers:
    return ((row >= _row(plant, when[0])) & (row < _row(plant, when[1]))).astype(float)


def _block(plant: Plant, block: int) -> pa.RecordBatch:
    random = np.random.default_rng([plant.seed, block])
    plan = _plan(plant, block)
    sensors, product = _sensors(random, plan), _products(random, plan)
    failed = _failed(random, plan, sensors, product)
    columns = _log(random, plan) | _readings(random, plan, sensors) | _crew(random, plan.row.size)
    columns |= {"product": np.array(PRODUCTS)[product], "quality": np.where(failed, "fail", "pass")}
    return pa.RecordBatch.from_pydict({name: columns[name] for name in plant.schema.names}, plant.schema)


def _sensors(random: Generator, plan: _Plan) -> dict[str, Numbers]:
    """True values in units of their usual spread, around their usual mean."""
    noise = random.standard_normal((5, plan.row.size))
    return {
        "pressure": noise[0],
        "temperature": noise[1],
        "torque": noise[2] + 0.8 * plan.caps,
        "vibration": noise[3] + 1.5 * plan.wear,
        "speed": noise[4],
    }


def _products(random: Generator, plan: _Plan) -> NDArray[np.int64]:
    usual, export = (np.cumsum(mix)[:-1] for mix in (USUAL_MIX, CAMPAIGN_MIX))
    draw = random.random(plan.row.size)
    return np.where(plan.campaign > 0, np.searchsorted(export, draw), np.searchsorted(usual, draw))


def _failed(
    random: Generator, plan: _Plan, sensors: dict[str, Numbers], product: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """The concept: what spoils a crate, which each change turns round in one respect."""
    torque = sensors["torque"] - 0.8 * plan.caps
    strain = (
        2.2 * (2 * plan.caps - 1) * torque
        + 2.0 * (1 - 2 * plan.campaign) * sensors["temperature"]
        + 1.8 * (1 - 2 * plan.wear) * sensors["pressure"]
        + 0.7 * SUGAR[product]
        + 0.5 * sensors["speed"]
    )
    return strain + random.logistic(0.0, 0.5, plan.row.size) > 2.3


def _log(random: Generator, plan: _Plan) -> dict[str, Any]:
    seconds = plan.row * SECONDS_BETWEEN_ROWS + random.integers(0, SECONDS_BETWEEN_ROWS, plan.row.size)
    start = np.datetime64(START.replace(tzinfo=None), "us")
    return {
        "crate": [f"crate-{row:07d}" for row in plan.row.tolist()],
        "logged_at": start + seconds.astype("timedelta64[s]"),
        "cleaned": random.random(plan.row.size) < 0.2,
        "stops": random.poisson(1.5 + 2.0 * plan.wear),
    }


def _readings(random: Generator, plan: _Plan, sensors: dict[str, Numbers]) -> dict[str, Any]:
    """What the sensors report, in their units; the vibration sensor drops out now and then."""
    unit = np.where(plan.fault > 0, UNIT_ERROR, 1.0)
    silent = random.random(plan.row.size) < NULL_SHARE
    return {
        "pressure_bar": np.round(3.2 + 0.25 * np.clip(sensors["pressure"], -4, 4), 3) * unit,
        "temperature_c": np.round(8.0 + 1.5 * sensors["temperature"], 2),
        "torque_nm": np.round(1.8 + 0.2 * sensors["torque"], 3),
        "vibration_mm_s": pa.array(np.round(np.exp(0.7 + 0.3 * sensors["vibration"]), 3), mask=silent),
        "bottles_per_minute": np.rint(420 + 25 * sensors["speed"]).astype(np.int64),
    }


def _crew(random: Generator, rows: int) -> dict[str, Any]:
    shift = random.integers(0, len(SHIFTS), rows)
    seat = (random.random(rows) * np.array([len(crew) for crew in OPERATORS])[shift]).astype(np.int64)
    first = np.cumsum([0, *(len(crew) for crew in OPERATORS)])[shift]
    everyone = np.array([name for crew in OPERATORS for name in crew])
    return {"shift": np.array(SHIFTS)[shift], "operator": everyone[first + seat]}
