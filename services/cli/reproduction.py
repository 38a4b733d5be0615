"""A version, made again from its manifest, and where the two differ."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from services.cli.history import History
from services.cli.words import brief
from services.training.dataset import content_hash
from services.training.fitting import environment, fit, recency_weights
from shared.domain.digest import digest
from shared.domain.models import dump_model
from shared.domain.pipeline_file import decode_pipeline
from shared.events.training import TrainingCompleted
from shared.runtime.ports import Blobs


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was compared."""

    what: str
    equal: bool


def reproduced(past: History, prefix: str) -> tuple[Finding, ...]:
    """Rows, environment and model against what was recorded.

    UserError where no blobs can be reached; BlobMissing or BlobDamaged for one that is gone or was changed.
    """
    version = past.trained(prefix)
    blobs = past.open_blobs()
    manifest = orjson.loads(blobs.get(version.manifest))
    rows = _rows(blobs, manifest)
    content = content_hash(rows)
    findings = [Finding(f"{rows.num_rows:,} training rows, content {brief(content)}", content == manifest["content"])]
    findings += _environment(version)
    return (*findings, _model(past, version, blobs, rows))


def _rows(blobs: Blobs, manifest: dict[str, Any]) -> pa.Table:
    return pq.read_table(io.BytesIO(blobs.get(manifest["snapshot"]))).combine_chunks()


def _environment(version: TrainingCompleted) -> list[Finding]:
    """Only what differs, but for the line that says that nothing does."""
    now = environment()
    changed = [
        Finding(f"{name} was {then}, is {now.get(name, 'not here')}", False)
        for name, then in sorted(version.environment.items())
        if now.get(name) != then
    ]
    return changed or [Finding(", ".join(f"{name} {number}" for name, number in sorted(now.items())), True)]


def _model(past: History, version: TrainingCompleted, blobs: Blobs, rows: pa.Table) -> Finding:
    _, job = past.story(version)
    asked = job.requested
    pipeline = decode_pipeline(blobs.get(asked.file))
    model = fit(pipeline, rows, recency_weights(rows.num_rows, asked.half_life), asked.seed)
    made = digest(dump_model(model))
    return Finding(f"model {brief(version.model)}, made again as {brief(made)}", made == version.model)
