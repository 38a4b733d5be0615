"""Do these rows keep that contract? The same rules as in service, asked of a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa

from services.ingestion.typed import typed_batch
from services.validation.plan import decode_plan
from services.validation.verdict import judge
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import canonical_bytes

BATCH = "sample"


def violations(pipeline: Pipeline, batches: Iterable[pa.RecordBatch]) -> tuple[str, ...]:
    """What the contract would refuse, one line per kind of fault: the columns lacking, and (rule, rows) counts.

    Rows need not be typed: text is read as ingestion reads it.
    """
    plan = decode_plan(canonical_bytes(pipeline))
    counts: Counter[str] = Counter()
    missing: tuple[str, ...] = ()
    recent, first = b"", 0
    for batch in batches:
        missing = missing or _missing(pipeline, batch.schema.names)
        typed, dead = typed_batch(batch, pipeline.contract, BATCH, first)
        verdict = judge(typed, plan, recent)
        counts.update(row.message for row in dead)
        counts.update(dict(verdict.rejects(0, typed.num_rows)))
        recent, first = verdict.recent, first + batch.num_rows
    refused = (f"{_rows(count)} of {first:,}: {fault}" for fault, count in sorted(counts.items()))
    return (*(f"column {name!r} is missing" for name in missing), *refused)


def _missing(pipeline: Pipeline, names: list[str]) -> tuple[str, ...]:
    contract = pipeline.contract
    wanted = [feature.name for feature in contract.features]
    wanted += [contract.label.name] if contract.label.arrives == "inline" else []
    wanted += [contract.record_id] if contract.record_id else []
    return tuple(name for name in wanted if name not in names)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
