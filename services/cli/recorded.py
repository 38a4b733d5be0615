"""A recorded stream on disk, looked through once before anything is done with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

    from services.embedded.survey import Survey
    from shared.domain.pipeline import Pipeline

ROWS_PER_BATCH = 10_000
SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file of rows and what its columns hold."""

    path: Path
    seen: Survey

    def batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        from services.ingestion.sources import read_batches

        return read_batches(self.path, rows)

    @property
    def name(self) -> str:
        """A pipeline's name made of the file's."""
        stem = self.path.name.lower()
        for suffix in SUFFIXES:
            stem = stem.removesuffix(suffix)
        return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:63] or "stream"


def recorded(path: Path) -> Recorded:
    """UserError for a path that is no file of a known kind; DataError for a file without rows."""
    from services.embedded.survey import survey
    from services.ingestion.sources import read_batches

    if not path.is_file():
        raise UserError(f"{path}: there is no such file" if not path.exists() else f"{path}: is no file")
    if not path.name.lower().endswith(SUFFIXES):
        raise UserError(f"{path}: only {', '.join(SUFFIXES)} files are read; convert it to one of these")
    return Recorded(path, survey(read_batches(path, ROWS_PER_BATCH)))


def check_against(data: Recorded, pipeline: Pipeline) -> None:
    """UserError where a pipeline can't be run on the data: a column that isn't there, no labels, too few rows."""
    from services.embedded.inference import nearest

    contract = pipeline.contract
    wanted = [contract.label.name, *(f.name for f in contract.features), *filter(None, [contract.record_id])]
    for name in wanted:
        if name not in data.seen.names:
            role = "label" if name == contract.label.name else "column"
            raise UserError(f"{data.path}: has no {role} {name!r}{nearest(name, data.seen.names)}")
    if data.seen.column(contract.label.name).kind is None:
        raise UserError(f"{data.path}: no label ever comes: column {contract.label.name!r} is empty in every row")
    if data.seen.rows <= pipeline.window:
        raise UserError(
            f"{data.path}: has {data.seen.rows:,} rows, but the first {pipeline.window:,} are for the first training; "
            "give more rows, or fewer initial ones (--initial, 'window' in a pipeline file)"
        )
