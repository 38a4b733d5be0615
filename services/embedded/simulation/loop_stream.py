"""The stream of the real-core scenarios: a tiny problem whose concept turns round, with every kind of bad record.

Small on purpose: windows of forty rows and a tree of depth one make a whole loop, from bootstrap to verification, fit
into a few hundred rows and a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from services.ingestion.messages import rows_appends
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import (
    DriftPolicy,
    Estimator,
    InputDriftPolicy,
    PerformanceDriftPolicy,
    Pipeline,
    PromotionPolicy,
    RetrainingPolicy,
)
from shared.domain.pipeline_file import canonical_bytes, pipeline_digest
from shared.domain.rows import ID, ingested_schema, labels_schema
from shared.events.base import derive_id
from shared.events.commands import ApplyPipeline, Command
from shared.events.envelope import to_append
from shared.events.topics import COMMANDS
from shared.runtime.core import Append

WINDOW = 40
DELIVERY = 10
"""Rows per message."""
LABEL_DELAY = 2
"""Deliveries after which late labels come."""
REPEATED, OUT_OF_RANGE, RELABELLED = 17, 23, 19
"""Every so many rows: a record that comes again, a value that breaks a rule, a second label."""


@dataclass(frozen=True, slots=True)
class Stream:
    """``change``: the row from which the opposite is true. ``lanes`` above one brings late labels."""

    rows: int = 230
    change: int = 110
    lanes: int = 1
    late: bool = False

    @property
    def pipeline(self) -> Pipeline:
        features = (
            Feature(name="heat", kind=Kind.NUMBER, minimum=0, maximum=100),
            Feature(name="mode", kind=Kind.CATEGORY, allowed=("fast", "slow")),
        )
        return Pipeline(
            name="kiln",
            contract=Contract(features=features, label=Label(name="good", arrives="late" if self.late else "inline")),
            estimator=Estimator(path="sklearn.tree.DecisionTreeClassifier", parameters={"max_depth": 1}),
            window=WINDOW,
            lanes=self.lanes,
            drift=DriftPolicy(
                inputs=InputDriftPolicy(epoch=20), performance=PerformanceDriftPolicy(false_alarm_labels=100)
            ),
            retraining=RetrainingPolicy(minimum_labels=10),
            promotion=PromotionPolicy(odds=5.0),
        )

    @property
    def file(self) -> bytes:
        return canonical_bytes(self.pipeline)

    @property
    def labels(self) -> int:
        """How many rows will have been accepted and labelled in the end."""
        return sum(1 for row in range(self.rows) if not _breaks_a_rule(row))

    def inputs(self, commands: tuple[tuple[int, Command], ...] = ()) -> Iterator[Append]:
        """The pipeline file's command, then the deliveries; ``commands`` come before the row that they name."""
        file = pipeline_digest(self.pipeline)
        apply = ApplyPipeline(pipeline=self.pipeline.name, command=derive_id("apply", file), file=file)
        yield to_append(COMMANDS.name, apply)
        for first in range(0, self.rows + LABEL_DELAY * DELIVERY * self.late, DELIVERY):
            yield from (to_append(COMMANDS.name, said) for row, said in commands if first - DELIVERY < row <= first)
            yield from self._records(first, file)
            yield from self._labels(first - LABEL_DELAY * DELIVERY, file)

    def _records(self, first: int, file: str) -> Iterator[Append]:
        rows = range(first, min(first + DELIVERY, self.rows))
        again = [row - 3 for row in rows if row % REPEATED == 0 and row]
        whole = _table(list(rows) + again, self.change)
        batch = whole.select(ingested_schema(self.pipeline.contract).names)
        yield from self._appends("records", batch, f"records-{first}", file)

    def _labels(self, first: int, file: str) -> Iterator[Append]:
        """First labels, a second one in the same message, and others in a message of their own."""
        rows = range(max(first, 0), min(first + DELIVERY, self.rows)) if self.late else range(0)
        names = labels_schema(self.pipeline.contract).names
        twice = [row for row in rows if row % RELABELLED == 1]
        yield from self._appends("labels", _table([*rows, *twice], self.change).select(names), f"labels-{first}", file)
        others = [row for row in rows if row % RELABELLED == 0]
        second = _table(others, self.change + self.rows).select(names)
        yield from self._appends("labels", second, f"second-labels-{first}", file)

    def _appends(self, action: str, batch: pa.RecordBatch, delivery: str, file: str) -> Iterator[Append]:
        pipeline = self.pipeline
        return rows_appends(
            batch,
            action=action,  # type: ignore[arg-type]
            pipeline=pipeline.name,
            lanes=pipeline.lanes,
            file=file,
            batch=derive_id(delivery),
            now=0,
        )


def _breaks_a_rule(row: int) -> bool:
    return row % OUT_OF_RANGE == OUT_OF_RANGE - 1


def _table(rows: list[int], change: int) -> pa.RecordBatch:
    """Rows by number: the same number is the same record, whenever it comes."""
    heat = [float(np.random.default_rng([7, row]).integers(0, 100)) for row in rows]
    return pa.RecordBatch.from_pydict(
        {
            ID: pa.array([f"row-{row}" for row in rows], pa.string()),
            "heat": pa.array([-1.0 if _breaks_a_rule(row) else value for row, value in zip(rows, heat, strict=True)]),
            "mode": pa.array(["fast" if row % 3 else "slow" for row in rows], pa.string()),
            "good": pa.array(
                ["yes" if (value > 50) != (row >= change) else "no" for row, value in zip(rows, heat, strict=True)],
                pa.string(),
            ),
        }
    )
