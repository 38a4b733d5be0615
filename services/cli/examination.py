"""The doctor's checks: each says what it found, and how to mend what is wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.errors import UserError, in_one_line, is_mistake

if TYPE_CHECKING:
    from shared.domain.pipeline import Pipeline

OLDEST_PYTHON = (3, 11)
FILE, SAMPLE, LEDGER, SUMMARY, BLOBS = "pipeline.yaml", "sample.csv", "ledger.jsonl", "summary.json", "blobs"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at and how it is; ``cure`` says what to do where it isn't well.

    ``seen``: False for what can't be looked at from here, and need not be.
    """

    what: str
    well: bool
    cure: str = ""
    seen: bool = True


def examine(place: Path, data: Path | None) -> Iterator[Finding]:
    """All that can be checked about a pipeline file, a project or a run's folder. UserError if it isn't there."""
    if not place.exists():
        raise UserError(f"{place}: there is no such file or folder")
    folder = place if place.is_dir() else place.parent
    yield _python()
    yield from _dependencies()
    yield _writable(folder)
    if place.is_file() and _is_data(place):
        yield _readable(place)
        return
    yield from _described(place, folder, data)
    if (folder / LEDGER).is_file():
        yield from _run(folder)


def _described(place: Path, folder: Path, data: Path | None) -> Iterator[Finding]:
    """The pipeline file, wherever it is. A backtest needs none: it leaves its report and its ledger alone."""
    file = place if place.is_file() else folder / FILE
    if file.is_file():
        yield from _pipeline(file, data if data is not None else _sample(folder), known=data is not None)
    elif data is None and (folder / SUMMARY).is_file() and (folder / LEDGER).is_file():
        yield Finding(f"{folder}: the folder of a backtest", True)
    else:
        yield Finding(f"no {FILE} in {folder}", False, "'driftloop init DATA --label COL' makes one")


def _is_data(file: Path) -> bool:
    from services.cli.recorded import SUFFIXES

    return file.name.lower().endswith((*SUFFIXES, ".gz"))


def _readable(file: Path) -> Finding:
    """Recorded data by themselves: whether they can be read at all."""
    from services.cli.recorded import recorded

    try:
        seen = recorded(file).seen
    except ValueError as error:
        if not is_mistake(error):
            raise
        return Finding(in_one_line(error), False)
    what = f"{file}: recorded data, {seen.rows:,} rows of {len(seen.columns)} columns"
    return Finding(f"{what}; 'driftloop doctor PIPELINE --data {file}' holds them against a contract", True)


def _python() -> Finding:
    now = ".".join(str(part) for part in sys.version_info[:3])
    wanted = ".".join(str(part) for part in OLDEST_PYTHON)
    return Finding(f"Python {now}", sys.version_info[:2] >= OLDEST_PYTHON, f"install Python {wanted} or newer")


def _dependencies() -> Iterator[Finding]:
    """The distribution's own list, so that it can't be out of step."""
    for requirement in requires("driftloop") or ():
        if "extra ==" in requirement:
            continue
        name, _, oldest = requirement.replace(" ", "").partition(">=")
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Finding(f"{name} is not installed", False, f"pip install '{requirement}'")
        else:
            yield Finding(f"{name} {found}", _parts(found) >= _parts(oldest), f"pip install '{requirement}'")


def _parts(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split(".") if part.isdigit())


def _writable(folder: Path) -> Finding:
    return Finding(f"{folder} can be written to", os.access(folder, os.W_OK), "choose another folder, or its rights")


def _pipeline(file: Path, data: Path | None, *, known: bool) -> Iterator[Finding]:
    from services.cli.usable import check_usable
    from services.drift_detection.detectors import DetectorError
    from shared.domain.estimators import EstimatorError
    from shared.domain.pipeline_file import PipelineFileError, read_pipeline

    try:
        pipeline = read_pipeline(file)
    except PipelineFileError as error:
        yield from (Finding(f"{file}: {problem}", False) for problem in error.problems)
        return
    yield Finding(f"{file}: pipeline {pipeline.name!r}, {len(pipeline.contract.features)} features", True)
    try:
        check_usable(pipeline)
    except (EstimatorError, DetectorError) as error:
        yield Finding(str(error), False)
    else:
        yield Finding(f"estimator {pipeline.estimator.path}", True)
    yield from _settings(pipeline)
    if data is not None:
        yield from _data(pipeline, data, whole=known)


def _settings(pipeline: Pipeline) -> Iterator[Finding]:
    """Settings that are valid one by one and don't go together."""
    contract, retraining = pipeline.contract, pipeline.retraining
    if contract.label.arrives == "late" and contract.record_id is None:
        cure = "name the column in 'contract.record_id'; else labels must use the id of the prediction"
        yield Finding("labels arrive late, but no column names the record", False, cure)
    if retraining.minimum_labels > pipeline.window:
        cure = f"set it to {pipeline.window} or fewer"
        yield Finding("retraining.minimum_labels is above the window: nothing would be trained in time", False, cure)


def _data(pipeline: Pipeline, path: Path, *, whole: bool) -> Iterator[Finding]:
    """Does the data keep the contract? The sample of a project may be shorter than the window; recorded data not."""
    from services.cli.recorded import ROWS_PER_BATCH, check_against, recorded
    from services.embedded.contract_check import violations

    try:
        data = recorded(path)
        if whole:
            check_against(data, pipeline)
        broken = violations(pipeline, data.batches(ROWS_PER_BATCH))
    except (ValueError, LookupError) as error:
        if not is_mistake(error):
            raise
        yield Finding(in_one_line(error), False)
        return
    yield from (Finding(f"{path}: {fault}", False, "mend the data, or loosen the contract") for fault in broken)
    if not broken:
        yield Finding(f"{path}: all {data.seen.rows:,} rows keep the contract", True)


def _sample(folder: Path) -> Path | None:
    path = folder / SAMPLE
    return path if path.is_file() else None


def _run(folder: Path) -> Iterator[Finding]:
    """A ledger that can be read, and the blobs that its versions need."""
    from services.cli.history import history
    from shared.adapters.files import FileBlobs
    from shared.events.training import TrainingCompleted
    from shared.runtime.ports import BlobDamaged, BlobMissing

    if not (folder / LEDGER).stat().st_size:
        yield Finding(f"{folder / LEDGER}: no event yet", True)
        return
    past = history(folder)
    torn = ", and a last line that is cut off" if past.torn else ""
    yield Finding(f"{folder / LEDGER}: {len(past.events):,} events{torn}", True)
    if not (folder / BLOBS).is_dir():
        return
    blobs = FileBlobs(folder / BLOBS)
    versions = [event for event in past.events if isinstance(event, TrainingCompleted)]
    for digest in dict.fromkeys(d for e in versions for d in (e.model, e.baseline, e.manifest)):
        try:
            blobs.get(digest)
        except (BlobMissing, BlobDamaged) as error:
            yield Finding(str(error), False)
    yield Finding(f"{folder / BLOBS}: models and rows of {len(versions)} versions looked through", True)
