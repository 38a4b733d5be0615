"""The work of a job: read the frozen rows, fit or score, store blobs, and report to the ledger."""

from __future__ import annotations

import io
from dataclasses import dataclass
from time import perf_counter

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from services.training.dataset import Source, assemble, content_hash
from services.training.state import Known
from shared.domain.contract import Contract
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import decode_pipeline
from shared.events.base import Event, derive_id
from shared.events.data import FILE
from shared.events.envelope import to_append
from shared.events.jobs import Requested
from shared.events.letters import without_values
from shared.events.topics import LEDGER
from shared.events.training import (
    DataRange,
    EvaluationCompleted,
    EvaluationRequested,
    JobFailed,
    ProbeCompleted,
    ProbeRequested,
    TrainingCompleted,
    TrainingRequested,
)
from shared.runtime.core import Message, Run, Unit
from shared.runtime.jobs import JobServices
from shared.runtime.partitions import LANE, partition_of

REQUESTS = {kind.type: kind for kind in (TrainingRequested, EvaluationRequested, ProbeRequested)}


@dataclass(frozen=True, slots=True)
class Work:
    """One job: what was asked, and the versions that may be scored for it."""

    request: Requested
    known: tuple[Known, ...]

    def version(self, name: str) -> Known:
        found = next((known for known in self.known if known.version == name), None)
        if found is None:
            raise LookupError(f"version {name!r} is not among the {len(self.known)} that the job may score")
        return found


def encode_work(request: Requested, known: tuple[Known, ...]) -> bytes:
    """The payload of `Run`, good for another process."""
    versions = [[k.version, k.model, k.cut, k.loss_scale] for k in known]
    return orjson.dumps({"type": request.type, "request": request.model_dump(mode="json"), "known": versions})


def decode_work(payload: bytes) -> Work:
    document = orjson.loads(payload)
    request = REQUESTS[document["type"]].model_validate(document["request"])
    return Work(request, tuple(Known(*known) for known in document["known"]))


def work(run: Run, services: JobServices) -> None:
    """Does the job and appends its result under the claim's token; a failure is a result too."""
    job = decode_work(run.payload)
    started = perf_counter()
    try:
        result = _do(job, run.token, services)
    except (ValueError, LookupError) as error:
        # The rows or the estimator are at fault, not the machine: another attempt would fail alike.
        reason = _reason(error)
        result = JobFailed(pipeline=job.request.pipeline, job=run.job, token=run.token, reason=reason, final=True)
    else:
        result = result.model_copy(update={"measured_seconds": perf_counter() - started})
    cause = job.request.cause
    services.append(to_append(LEDGER.name, result, correlation=cause))


def _do(job: Work, token: int, services: JobServices) -> Event:
    request = job.request
    pipeline = services.read(request.file, decode_pipeline)
    rows = frozen_rows(pipeline, request.data, services)
    if isinstance(request, TrainingRequested):
        return _train(request, token, pipeline, rows, services)
    if isinstance(request, EvaluationRequested):
        return _evaluate(job, request, token, pipeline, rows, services)
    return _probe(job, request, token, pipeline, rows, services)


def _reason(error: Exception) -> str:
    """Our own words, which quote no row; of a library's error only the place."""
    from services.training.fitting import FitError

    return str(error) if isinstance(error, FitError | LookupError) else without_values(error)


def frozen_rows(pipeline: Pipeline, data: DataRange, services: JobServices) -> pa.Table:
    """The rows of a frozen range, from the log."""

    def read(topic: str, unit: Unit, first: int, last: int) -> list[Message]:
        partition = partition_of(unit.pipeline, unit.lane, services.log.partitions(topic))
        messages = services.messages(topic, partition, first, last)
        return [m for m in messages if m.key == unit.pipeline and int(m.headers.get(LANE, 0)) == unit.lane]

    def typed_by(message: Message) -> Contract:
        return services.read(message.headers[FILE], decode_pipeline).contract

    return assemble(pipeline.name, Source(pipeline.contract, read, typed_by), data)


def _train(
    request: TrainingRequested, token: int, pipeline: Pipeline, rows: pa.Table, services: JobServices
) -> TrainingCompleted:
    from services.training.fitting import environment, fit, loss_scale, recency_weights
    from services.training.importances import permutation_importances
    from services.training.trivial import hold_out
    from shared.domain.baseline import baseline_of, encode_baseline
    from shared.domain.models import dump_model

    scale = loss_scale(pipeline.contract.label, rows)
    model = fit(pipeline, rows, recency_weights(rows.num_rows, request.half_life), request.seed)
    manifest = services.blobs.put(_manifest(request, rows, _snapshot(rows, services)))
    return TrainingCompleted(
        pipeline=request.pipeline,
        job=request.job,
        token=token,
        cause=request.cause,
        trigger=request.trigger,
        stage=request.stage,
        window=request.window,
        version=derive_id("version", request.job),
        model=services.blobs.put(dump_model(model)),
        baseline=services.blobs.put(encode_baseline(baseline_of(pipeline.contract, rows, 0))),
        manifest=manifest,
        rows=rows.num_rows,
        last_label=request.data.last_label,
        loss_scale=scale,
        parameters=pipeline.estimator.parameters,
        environment=environment(),
        importances=permutation_importances(model, rows, pipeline.contract.label, scale, request.seed),
        holdout=hold_out(pipeline, rows, request.seed) if request.trigger == "bootstrap" else {},
    )


def _evaluate(
    job: Work, request: EvaluationRequested, token: int, pipeline: Pipeline, rows: pa.Table, services: JobServices
) -> EvaluationCompleted:
    from services.training.evaluation import paired_by_slice, row_losses, scatter
    from shared.domain.models import load_model

    scale = job.version(request.champion).loss_scale
    losses = {
        name: row_losses(services.read(job.version(name).model, load_model), rows, pipeline.contract.label, scale)
        for name in (request.champion, *request.challengers)
    }
    slices = pipeline.promotion.slices
    return EvaluationCompleted(
        pipeline=request.pipeline,
        job=request.job,
        token=token,
        cause=request.cause,
        champion=request.champion,
        first_label=request.data.first_label,
        last_label=request.data.last_label,
        pairs={
            name: paired_by_slice(losses[name], losses[request.champion], rows, slices) for name in request.challengers
        },
        dispersion=scatter(losses[request.champion], pipeline.steps.size),
    )


def _probe(
    job: Work, request: ProbeRequested, token: int, pipeline: Pipeline, rows: pa.Table, services: JobServices
) -> ProbeCompleted:
    from services.training.probes import probe

    champion = job.version(request.champion)
    return probe(request, token, pipeline, rows, champion, services)


def _snapshot(rows: pa.Table, services: JobServices) -> str:
    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="zstd", store_schema=True)
    return services.blobs.put(sink.getvalue())


def _manifest(request: TrainingRequested, rows: pa.Table, snapshot: str) -> bytes:
    """The data set by name: where its rows lie, how many, their content hash and their snapshot."""
    document = {
        "pipeline": request.pipeline,
        "data": request.data.model_dump(mode="json"),
        "rows": rows.num_rows,
        "content": content_hash(rows),
        "snapshot": snapshot,
    }
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
