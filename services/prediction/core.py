"""Prediction: score rows with the served version, join labels, count what the predictions were worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from services.prediction.counting import Slice, slices
from services.prediction.joining import LABEL, Join, Waiting, add_labels, add_predictions, predictions_table
from shared.domain.models import load_model
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import decode_pipeline
from shared.domain.rows import (
    ID,
    POSITION,
    decode_batch,
    encode_batch,
    label_type,
    labels_schema,
    pieces,
    predictions_schema,
    validated_schema,
)
from shared.events.data import PREDICTIONS_MADE_V1, data_headers, message_id
from shared.events.deployment import ServingChanged
from shared.events.envelope import to_append, trace_of
from shared.events.prediction import PerformanceCounted
from shared.events.topics import LABELS, PERFORMANCE, PREDICTIONS, RECORDS_VALIDATED, SERVING
from shared.runtime.core import Append, Effect, Input, Message, Read, Step, Unit

KEPT = ("file", "batch", "lane")
"""Headers that are as true of the predictions as of the rows."""
LARGEST = PREDICTIONS.max_message_bytes - (64 << 10)
"""Bytes of predictions in one message: what frames them needs room, too."""


@dataclass(frozen=True, slots=True)
class PredictionState:
    """Per lane: what is served, how far both inputs were read, and what still waits for its other half."""

    file: str = ""
    version: str | None = None
    model: str | None = None
    generation: int = 0
    loss_scale: float = 1.0
    ledger_offset: int = -1
    row: int = 0
    label: int = 0
    rows_offset: int = 0
    labels_offset: int = 0
    time: int | None = None
    waiting: Waiting = field(default_factory=Waiting)
    conflicting: int = 0
    unlabelled: int = 0
    unmatched: int = 0
    """Labels given up so far: no row came that they belong to, or it had been given up."""


class Prediction:
    """The core. One message of rows in, predictions and performance counts out."""

    name = "prediction"
    reads = (SERVING.name, RECORDS_VALIDATED.name, LABELS.name)
    state_type: Any = PredictionState
    per_lane = True

    def initial(self, unit: Unit) -> PredictionState:  # noqa: ARG002 - all lanes start alike
        return PredictionState()

    def handle(self, state: PredictionState, item: Input, read: Read) -> Step[PredictionState]:
        if not isinstance(item, Message):
            return Step(state)
        if item.topic == SERVING.name:
            return Step(serve(state, ServingChanged.model_validate_json(item.value)))
        pipeline = read(item.headers["file"], decode_pipeline)
        if item.topic == LABELS.name:
            return on_labels(state, item, pipeline)
        return on_rows(state, item, pipeline, read)


def serve(state: PredictionState, serving: ServingChanged) -> PredictionState:
    """From the next message on. An older word than the last one changes nothing."""
    if serving.ledger_offset <= state.ledger_offset:
        return state
    return replace(
        state,
        ledger_offset=serving.ledger_offset,
        file=serving.file,
        version=serving.version,
        model=serving.model,
        generation=serving.generation,
        loss_scale=serving.loss_scale,
    )


def on_rows(state: PredictionState, message: Message, pipeline: Pipeline, read: Read) -> Step[PredictionState]:
    """Predict, then join with the labels that are here: in the rows themselves, or arrived early."""
    batch = decode_batch(message.value, validated_schema(pipeline.contract))
    predicted, score = _predict(state, batch, pipeline, read)
    state = replace(
        state,
        row=int(message.headers["last"]),
        rows_offset=message.offset + 1,
        time=_latest(state.time, batch, pipeline.contract.event_time),
    )
    table = predictions_table(batch, predicted, state.version, state.loss_scale, message.offset)
    if pipeline.contract.label.arrives == "inline":
        join = _join_inline(state.waiting, table, batch.column(pipeline.contract.label.name))
    else:
        join = add_predictions(state.waiting, table, state.row - pipeline.label_wait)
    effects: tuple[Effect, ...] = ()
    if state.model is not None:
        effects = tuple(_predictions(state, batch, predicted, score, message, pipeline))
    return _count(state, join, message, pipeline, effects)


def on_labels(state: PredictionState, message: Message, pipeline: Pipeline) -> Step[PredictionState]:
    """Join late labels with the predictions that wait for them."""
    labels = pa.Table.from_batches([decode_batch(message.value, labels_schema(pipeline.contract))])
    labels = labels.rename_columns([ID, LABEL]).filter(pc.is_valid(labels.column(1)))
    state = replace(state, labels_offset=message.offset + 1)
    join = add_labels(state.waiting, labels, state.row, state.row - pipeline.label_wait, message.offset)
    return _count(state, join, message, pipeline)


def _latest(before: int | None, batch: pa.RecordBatch, event_time: str | None) -> int | None:
    """Event time so far, in milliseconds; rows that go back in time leave it as it is."""
    if event_time is None:
        return before
    times = batch.column(event_time).cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())
    return max((t for t in (before, pc.max(times).as_py()) if t is not None), default=None)


def _predict(state: PredictionState, batch: pa.RecordBatch, pipeline: Pipeline, read: Read) -> tuple[pa.Array, Any]:
    if state.model is None:
        return pa.nulls(batch.num_rows, label_type(pipeline.contract)), None
    return read(state.model, load_model).predict(batch)


def _join_inline(waiting: Waiting, table: pa.Table, labels: pa.Array) -> Join:
    labelled = pc.is_valid(labels)
    rows = table.append_column(LABEL, labels).filter(labelled)
    return Join(waiting, rows, 0, table.num_rows - rows.num_rows)


def _predictions(
    state: PredictionState, batch: pa.RecordBatch, predicted: pa.Array, score: Any, message: Message, pipeline: Pipeline
) -> Iterator[Append]:
    """One message, or several where the predicted classes are so long that one could not hold them."""
    columns = [batch.column(ID), batch.column(POSITION), predicted, pa.array(score, pa.float64())]
    answer = pa.RecordBatch.from_arrays(columns, schema=predictions_schema(pipeline.contract))
    cause, trace = message_id(message), trace_of(message.headers)
    for place, (part, received) in enumerate(_parts(answer, message)):
        extra = {name: message.headers[name] for name in KEPT if name in message.headers}
        extra |= {**received, "version": state.version or ""}
        identity = (cause, place) if place else (cause,)
        headers = data_headers(
            PREDICTIONS_MADE_V1, message.key, identity, message.timestamp, extra, cause=cause, trace=trace
        )
        yield Append(PREDICTIONS.name, _unit(message), encode_batch(part), headers)


def _parts(answer: pa.RecordBatch, message: Message) -> Iterator[tuple[pa.RecordBatch, dict[str, str]]]:
    """The answer in messages that the log takes, each with its share of the rows that were received."""
    parts = list(pieces(answer, LARGEST)) or [answer]
    starts = [message.headers["first"], *(str(part.column(POSITION)[0].as_py()) for part in parts[1:])]
    for part, first, last in zip(parts, starts, [*starts[1:], message.headers["last"]], strict=True):
        yield part, {"rows": str(part.num_rows), "first": first, "last": last}


def _count(
    state: PredictionState, join: Join, message: Message, pipeline: Pipeline, effects: tuple[Effect, ...] = ()
) -> Step[PredictionState]:
    rows, first = join.rows, state.label
    state = replace(
        state,
        waiting=join.waiting,
        label=first + (rows.num_rows if rows is not None else 0),
        conflicting=state.conflicting + join.conflicting,
        unlabelled=state.unlabelled + join.unlabelled,
        unmatched=state.unmatched + join.unmatched,
    )
    if rows is None or not rows.num_rows:
        return Step(state, effects)
    return Step(state, (*effects, *_performance(state, join, message, pipeline, rows, first)))


def _performance(
    state: PredictionState, join: Join, message: Message, pipeline: Pipeline, rows: pa.Table, first: int
) -> Iterator[Append]:
    """One event per step slice, or several of it where many long classes make one more than the log takes."""
    single = pipeline.drift.detector is not None
    for part in slices(rows, first, pipeline.steps, pipeline.contract.label.task, single):
        append = to_append(PERFORMANCE.name, _counted(state, join, message, part), message)
        half = (part.last - part.first) // 2
        if len(append.value) <= PERFORMANCE.max_message_bytes or not half:
            yield append
            continue
        for start, end in ((part.first, part.first + half), (part.first + half, part.last)):
            yield from _performance(state, join, message, pipeline, rows.slice(start - first, end - start), start)


def _counted(state: PredictionState, join: Join, message: Message, part: Slice) -> PerformanceCounted:
    return PerformanceCounted(
        pipeline=message.key,
        file=message.headers["file"],
        generation=state.generation,
        lane=_unit(message).lane or 0,
        first=part.first,
        last=part.last,
        row=state.row,
        joined_row=join.joined_row,
        rows_from=join.rows_from if join.rows_from is not None else message.offset,
        rows_offset=state.rows_offset,
        labels_from=join.labels_from or 0,
        labels_offset=state.labels_offset,
        time=state.time,
        serving=state.version,
        versions=part.versions,
        losses=part.losses,
        conflicting=state.conflicting,
        unlabelled=state.unlabelled,
    )


def _unit(message: Message) -> Unit:
    return Unit(message.key, int(message.headers["lane"]))
