"""Ingestion: deliveries in, typed rows and dead letters out. It judges types only; rules are validation's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pyarrow as pa

from services.ingestion import messages
from services.ingestion.commands import COMMAND, InvalidCommand, command_of
from services.ingestion.delivery import Action, Delivery, of_message, of_request
from services.ingestion.identity import batch_id
from services.ingestion.raw import TOO_LARGE, TOO_MANY_ROWS, DeadRow, RawRows, UnreadableBody
from services.ingestion.registry import read_rows
from services.ingestion.typed import Target, labels_target, records_target, typed_rows
from shared.domain.contract import Contract
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import decode_pipeline
from shared.domain.rows import ID
from shared.events.commands import ApplyPipeline
from shared.events.data import message_id
from shared.events.deployment import ServingChanged
from shared.events.envelope import from_message, to_append
from shared.events.topics import COMMANDS, SERVING
from shared.runtime.core import Answer, Append, Effect, Input, Message, Read, Request, Step, Unit

ACCEPTED, BAD_REQUEST, NOT_FOUND, CONFLICT, LARGE, UNSUPPORTED, UNPROCESSABLE = 202, 400, 404, 409, 413, 415, 422
STATUSES = {"unknown-format": UNSUPPORTED, TOO_LARGE: LARGE, TOO_MANY_ROWS: LARGE}
"""Of bodies that can't be read, where it isn't 400."""
PROBLEMS_TOLD = 20
MOST_DEAD = 10_000
"""Rows of one delivery that become letters of their own, each of which takes memory."""
MOST_DEAD_BYTES = 64 << 20
"""Of their letters: each brings the names of all columns along, which may be longer than the rows."""


@dataclass(frozen=True, slots=True)
class IngestionState:
    """The pipeline, the digest of its file in force ("" before there is one), the ledger offset that said so."""

    pipeline: str
    file: str = ""
    ledger_offset: int = -1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery, ready to be answered."""

    status: int
    body: dict[str, Any]
    appends: tuple[Append, ...] = ()


class Ingestion:
    """The core, per pipeline. A delivery comes as a request or as a message of a producer's own topic.

    ``label_topics``: those of the producers' topics that bring labels rather than records.
    """

    name = "ingestion"
    reads = (SERVING.name,)
    state_type: Any = IngestionState
    per_lane = False

    def __init__(self, label_topics: tuple[str, ...] = ()) -> None:
        self.label_topics = label_topics

    def initial(self, unit: Unit) -> IngestionState:
        return IngestionState(unit.pipeline)

    def handle(self, state: IngestionState, item: Input, read: Read) -> Step[IngestionState]:
        if isinstance(item, Request):
            return Step(state, _answered(item, state, read))
        if not isinstance(item, Message):
            return Step(state)
        if item.topic == SERVING.name:
            return Step(_served(state, item))
        action: Action = "labels" if item.topic in self.label_topics else "records"
        delivery = of_message(item, action)
        outcome = _delivered(delivery, state, read)
        return Step(state, outcome.appends or tuple(_letter(delivery, outcome, state)))


def _served(state: IngestionState, message: Message) -> IngestionState:
    event = from_message(message)
    if not isinstance(event, ServingChanged) or event.ledger_offset <= state.ledger_offset:
        return state
    return replace(state, file=event.file, ledger_offset=event.ledger_offset)


def _answered(request: Request, state: IngestionState, read: Read) -> tuple[Effect, ...]:
    if request.action == COMMAND:
        outcome = _commanded(request, state)
    elif request.action not in messages.TOPICS:
        known = f"only {', '.join(messages.TOPICS)} and {COMMAND}"
        outcome = _refusal(NOT_FOUND, "unknown-action", f"ingestion knows no {request.action!r}, {known}")
    else:
        action: Action = "labels" if request.action == "labels" else "records"
        outcome = _delivered(of_request(request, action), state, read)
    return (*outcome.appends, Answer(request.id, outcome.status, orjson.dumps(outcome.body)))


def _commanded(request: Request, state: IngestionState) -> Outcome:
    """A command is only passed on: its owner checks it against how things stand, and tells the ledger."""
    try:
        command = command_of(request, state.pipeline)
    except InvalidCommand as error:
        return _refusal(UNPROCESSABLE, "invalid-command", str(error))
    if not state.file and not isinstance(command, ApplyPipeline):
        return _no_pipeline()
    body = {"command": command.command, "pipeline": state.pipeline, "type": command.type}
    return Outcome(ACCEPTED, body, (to_append(COMMANDS.name, command),))


def _no_pipeline() -> Outcome:
    return _refusal(NOT_FOUND, "no-pipeline", "there is no pipeline of this name yet: apply its file first")


def _delivered(delivery: Delivery, state: IngestionState, read: Read) -> Outcome:
    if not state.file:
        return _no_pipeline()
    pipeline = read(state.file, decode_pipeline)
    if delivery.action == "labels" and pipeline.contract.label.arrives == "inline":
        message = "the contract's label arrives inline: send it in the record, or declare 'arrives: late'"
        return _refusal(CONFLICT, "label-arrives-inline", message)
    target = _target(delivery, pipeline.contract)
    try:
        raw = read_rows(delivery.content_type, delivery.body, target.wanted)
    except UnreadableBody as error:
        return _refusal(STATUSES.get(error.reason, BAD_REQUEST), error.reason, str(error))
    if not raw.received:
        return _refusal(BAD_REQUEST, "empty", "the body holds no rows")
    return _typed(delivery, raw, target, pipeline, state.file)


def _target(delivery: Delivery, contract: Contract) -> Target:
    if delivery.action == "labels":
        return labels_target(contract)
    return records_target(contract, ids_given=delivery.replayed > 0)


def _typed(delivery: Delivery, raw: RawRows, target: Target, pipeline: Pipeline, file: str) -> Outcome:
    batch = batch_id(pipeline.name, raw.key or delivery.key)
    rows, dead = typed_rows(raw, target, batch)
    if len(dead) > MOST_DEAD:
        return _too_many_dead(len(dead), f"{MOST_DEAD:,}")
    cause = message_id(delivery.source) if delivery.source else ""
    accepted = messages.rows_appends(
        rows, action=delivery.action, pipeline=pipeline.name, lanes=pipeline.lanes,
        file=file, batch=batch, now=delivery.now, cause=cause, trace=delivery.trace,
        replayed=delivery.replayed,
    )  # fmt: skip
    letters = messages.dead_appends(
        ((row, raw.original(row.row)) for row in dead), delivery,
        media_type=raw.media_type, pipeline=pipeline.name, file=file, batch=batch,
    )  # fmt: skip
    kept = _within(letters, MOST_DEAD_BYTES)
    if kept is None:
        return _too_many_dead(len(dead), f"{MOST_DEAD_BYTES:,} bytes of them")
    body = _report(batch, rows, dead, raw.ignored)
    return Outcome(ACCEPTED if rows.num_rows else UNPROCESSABLE, body, (*accepted, *kept))


def _within(letters: Iterator[Append], most_bytes: int) -> tuple[Append, ...] | None:
    """All letters; None, and none made beyond that, where they take more bytes."""
    kept: list[Append] = []
    size = 0
    for letter in letters:
        kept.append(letter)
        size += len(letter.value)
        if size > most_bytes:
            return None
    return tuple(kept)


def _too_many_dead(number: int, most: str) -> Outcome:
    told = f"{number:,} rows can't be used, and more than {most} in one delivery are not set aside"
    return _refusal(UNPROCESSABLE, "too-many-dead", f"{told}; nothing of it was taken: send less at once")


def _report(batch: str, rows: pa.RecordBatch, dead: Iterable[DeadRow], ignored: int) -> dict[str, Any]:
    problems = [{"row": row.row, "reason": row.reason, "message": row.message} for row in dead]
    return {
        "batch": batch,
        "received": rows.num_rows + len(problems),
        "accepted": rows.num_rows,
        "dead": len(problems),
        "ignored_columns": ignored,
        "ids": rows.column(ID).to_pylist(),
        "problems": problems[:PROBLEMS_TOLD],
    }


def _letter(delivery: Delivery, refused: Outcome, state: IngestionState) -> Iterator[Append]:
    """A refused client keeps its data and hears why; nobody waits for a refused message, so it is kept here."""
    whole = DeadRow(0, refused.body["reason"], refused.body["message"])
    batch = batch_id(state.pipeline, delivery.key)
    return messages.dead_appends(
        [(whole, delivery.body)], delivery,
        media_type=delivery.content_type, pipeline=state.pipeline, file=state.file, batch=batch, whole=True,
    )  # fmt: skip


def _refusal(status: int, reason: str, message: str) -> Outcome:
    return Outcome(status, {"reason": reason, "message": message})
