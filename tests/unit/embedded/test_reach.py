"""Wide rows are kept for as long as a training may ask for them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from services.embedded import system
from services.embedded.system import Embedded
from shared.adapters.memory import MemoryBlobs
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import Estimator, Pipeline, RetrainingPolicy
from shared.events.topics import LEDGER
from shared.events.training import TrainingCompleted

WIDTH, WINDOW = 200, 100


def test_what_a_training_reaches_back_to_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "KEPT_BYTES", WIDTH * WINDOW)
    monkeypatch.setattr(system, "CLEAN_EVERY", 1)
    wide = Embedded(pipeline(), MemoryBlobs())
    wide.apply()
    for first in range(0, 30 * WINDOW, WINDOW):
        wide.records(rows(first))
    trained = [event for _, event in wide.new_events(LEDGER.name) if isinstance(event, TrainingCompleted)]
    assert [event.rows for event in trained][-3:] == [9 * WINDOW] * 3
    assert wide.log.start_offset("records.validated", 0) > 0, "nothing was dropped, so nothing is shown"


def pipeline() -> Pipeline:
    return Pipeline(
        name="wide",
        window=WINDOW,
        contract=Contract(
            features=tuple(Feature(name=f"x{place}", kind=Kind.NUMBER) for place in range(WIDTH)), label=Label(name="y")
        ),
        estimator=Estimator(path="sklearn.naive_bayes.GaussianNB"),
        retraining=RetrainingPolicy(on_drift=False, check_after=None, every=WINDOW),
    )


def rows(seed: int) -> pa.RecordBatch:
    values = np.random.default_rng(seed).normal(size=(WIDTH, WINDOW))
    columns = {f"x{place}": values[place] for place in range(WIDTH)}
    return pa.RecordBatch.from_pydict({**columns, "y": np.where(values[0] > 0, "up", "down").tolist()})
