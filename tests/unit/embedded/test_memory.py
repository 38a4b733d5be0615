"""A file larger than memory allows is replayed in memory that does not grow with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

COLUMNS, CHUNK, KEPT = 10, 50_000, 4 << 20

REPLAY = """
import json, resource, sys
from pathlib import Path
from services.backtest.replay import Replay, replay
from services.embedded import system
from services.ingestion.sources import read_batches
from shared.adapters.files import FileBlobs
from shared.domain.pipeline_file import parse_pipeline

system.KEPT_BYTES, system.CLEAN_EVERY = int(sys.argv[4]), 16
data, pipeline, blobs = map(Path, sys.argv[1:4])
what = Replay(parse_pipeline(pipeline.read_text()), lambda rows: read_batches(data, rows))
result = replay(what, "never", FileBlobs(blobs), lambda rows: None)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"peak": peak, "counted": result.quality.n}))
"""
"""What is kept of each topic is lowered from what a real run keeps, or the file would have to be gigabytes."""


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    features = ", ".join(f"{{name: c{number}, kind: number}}" for number in range(COLUMNS - 1))
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        "name: big\nwindow: 2000\nestimator: {path: sklearn.naive_bayes.GaussianNB}\n"
        f"drift: {{inputs: {{epoch: 5000}}}}\ncontract: {{features: [{features}], label: {{name: y}}}}\n"
    )
    return path


def write(path: Path, rows: int) -> int:
    """The file's size."""
    with path.open("wb") as file:
        for first in range(0, rows, CHUNK):
            random = np.random.default_rng(first)
            columns = {f"c{number}": random.random(CHUNK) for number in range(COLUMNS - 1)}
            columns["y"] = np.where(columns["c0"] > 0.5, "high", "low")
            pacsv.write_csv(pa.table(columns), file, pacsv.WriteOptions(include_header=first == 0))
    return path.stat().st_size


def replayed(data: Path, pipeline: Path) -> dict[str, int]:
    command = [sys.executable, "-c", REPLAY, str(data), str(pipeline), str(data.with_suffix(".blobs")), str(KEPT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, int] = json.loads(done.stdout)
    return told


def test_four_times_the_rows_need_hardly_more_memory(tmp_path: Path, pipeline: Path) -> None:
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    more = write(large, 800_000) - write(small, 200_000)
    one, four = replayed(small, pipeline), replayed(large, pipeline)
    assert (one["counted"], four["counted"]) == (198_000, 798_000)
    assert four["peak"] - one["peak"] < more / 4, (one, four, more)
