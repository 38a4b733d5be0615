"""The published protocol: random forest of 100 trees, first window trains the first model, kappa over all later rows.

Streams, windows and published points are those of Cerqueira, Gomes, Bifet & Torgo, "STUDD" (Machine Learning 2022),
tables 2 and 3. Published fits follow from the share of labels that a method asked for.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from services.backtest.replay import Replay, Source, replay
from services.embedded.inference import Wish, infer
from services.embedded.survey import survey
from services.ingestion.sources import read_batches
from shared.adapters.files import FileBlobs
from shared.domain.pipeline import Estimator, Pipeline
from shared.domain.quality import metrics

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
METHODS = ("BL-st", "BL-ret", "SS", "DSS", "STUDD", "FF")
SEEDS = (0, 1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Stream:
    """A recorded stream: its file, its name in the published tables, its window, and columns left out."""

    name: str
    published: str
    window: int
    drop: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        return SHARED / "data" / f"{self.name}.csv.gz"


STREAMS = (
    Stream("elec2", "Electricity", 1000, ("date",)),
    Stream("abrupt_insects", "AbruptInsects", 500),
    Stream("arabic_digits", "Arabic", 1000),
    Stream("noaa_weather", "NOAA", 1000),
    Stream("bike_demand_cls", "Bike", 1000),
    Stream("keystroke", "Keystroke", 500),
)


@dataclass(frozen=True, slots=True)
class Job:
    """One run."""

    stream: Stream
    policy: str
    seed: int
    delay: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to."""

    stream: str
    policy: str
    seed: int
    delay: int
    kappa: float
    accuracy: float
    fits: int
    promotions: int
    rollbacks: int
    probes: int
    alarms: tuple[int, ...]
    train_seconds: float
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class Point:
    """A published result."""

    method: str
    kappa: float
    fits: int


def pipeline_of(stream: Stream, seed: int) -> Pipeline:
    """The inferred pipeline with the default policy: nothing is tuned to a stream but its window and its seed."""
    estimator = Estimator(parameters={"n_estimators": 100})
    wish = Wish("class", stream.drop, estimator=estimator)
    inferred = infer(stream.name.replace("_", "-"), survey(read_batches(stream.path, 4000)), wish)
    return inferred.pipeline.model_copy(update={"window": stream.window, "seed": seed})


def run(job: Job) -> Run:
    """Replays one stream under one policy."""
    what = Replay(pipeline_of(job.stream, job.seed), source_of(job.stream), job.delay)
    with tempfile.TemporaryDirectory() as folder:
        result = replay(what, job.policy, FileBlobs(Path(folder)), lambda _: None)
    quality = metrics(result.quality)
    return Run(
        job.stream.name,
        job.policy,
        job.seed,
        job.delay,
        quality["kappa"],
        quality["accuracy"],
        result.retrainings,
        result.promotions,
        result.rollbacks,
        result.probes,
        result.alarms,
        result.train_seconds,
        result.wall_seconds,
    )


def source_of(stream: Stream) -> Source:
    def read(rows: int) -> Iterator[pa.RecordBatch]:
        return read_batches(stream.path, rows)

    return read


def run_all(jobs: list[Job], workers: int = 2) -> Iterator[Run]:
    """The longest first, so that the processors end together."""
    longest = sorted(jobs, key=lambda job: (-job.stream.path.stat().st_size, job.policy == "never"))
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(run, longest)


def published(stream: Stream) -> tuple[Point, ...]:
    """The paper's points for a stream, with the number of fits that their share of labels implies."""
    with (SHARED / "published" / "studd2022_tables2_3.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["stream"] == stream.published and row["method"] in METHODS]
    with (SHARED / "data" / "MANIFEST.csv").open() as file:
        size = next(int(row["rows"]) for row in csv.DictReader(file) if row["name"] == stream.name)
    return tuple(
        Point(row["method"], float(row["kappa"]), max(0, round(float(row["label_ratio"]) * size / stream.window - 1)))
        for row in rows
    )
