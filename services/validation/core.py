"""Validation, per lane: numbers received rows, refuses those that break a rule, counts the rest. It judges no drift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from services.validation.duplicates import MESSAGES, hashes_of, known, remembered
from services.validation.plan import Plan, decode_plan
from services.validation.profiles import profiles
from services.validation.verdict import Verdict, all_repeated, judge
from shared.domain.baseline import decode_baseline
from shared.domain.rows import decode_batch, encode_batch, pieces
from shared.events.data import (
    FILE,
    RECORD_REFUSED_V1,
    RECORDS_VALIDATED_V1,
    REPLAYED,
    data_headers,
    error_headers,
    message_id,
)
from shared.events.deployment import ServingChanged
from shared.events.envelope import from_message, to_append, trace_of
from shared.events.letters import LARGEST, letter
from shared.events.topics import PROFILES, RECORDS_INGESTED, RECORDS_VALIDATED, SERVING
from shared.events.validation import ProfileTaken
from shared.runtime.core import Append, Effect, Input, Message, Read, Step, Unit

STAGE = "validation"
POISON = "undecodable"
UNKNOWN_FILE = "unknown-file"
RULES_BROKEN = "rules-broken"


@dataclass(frozen=True, slots=True)
class ValidationState:
    """``received``: rows so far, the next row's position. ``recent``: hashes of the last accepted rows' ids."""

    pipeline: str
    lane: int
    received: int = 0
    file: str = ""
    baseline: str = ""
    generation: int = 0
    ledger_offset: int = -1
    recent: bytes = b""
    messages: bytes = b""
    """Hashes of the last messages' names: a repeated one may hold more rows than ids are remembered."""


class Validation:
    """The core. One message of typed rows in; validated rows, rejected rows and profiles out."""

    name = "validation"
    reads = (SERVING.name, RECORDS_INGESTED.name)
    state_type: Any = ValidationState
    per_lane = True

    def initial(self, unit: Unit) -> ValidationState:
        return ValidationState(unit.pipeline, unit.lane or 0)

    def handle(self, state: ValidationState, item: Input, read: Read) -> Step[ValidationState]:
        if not isinstance(item, Message):
            return Step(state)
        if item.topic == SERVING.name:
            return Step(_served(state, item))
        try:
            plan = _plan(state, item, read)
            batch = _decoded(item, plan)
        except Poison as poison:
            return Step(state, (_poison_letter(state, item, poison),))
        return _validated(state, item, batch, plan, read)


class Poison(ValueError):
    """A message that holds no rows anyone could read. ``reason`` is its code."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


def _served(state: ValidationState, message: Message) -> ValidationState:
    event = from_message(message)
    if not isinstance(event, ServingChanged) or event.ledger_offset <= state.ledger_offset:
        return state
    return replace(
        state,
        file=event.file,
        baseline=event.baseline or "",
        generation=event.generation,
        ledger_offset=event.ledger_offset,
    )


def _plan(state: ValidationState, message: Message, read: Read) -> Plan:
    """The plan of the file that the rows were typed by, which may be older than the one in force."""
    file = message.headers.get(FILE, "")
    if not file:
        raise Poison(UNKNOWN_FILE, "the message names no pipeline file")
    try:
        return read(file, decode_plan)
    except LookupError as error:
        if file == state.file:
            raise  # the file in force is gone: that is the blob store's fault, not the message's
        raise Poison(UNKNOWN_FILE, "the message names a pipeline file that is not stored") from error


def _decoded(message: Message, plan: Plan) -> pa.RecordBatch:
    try:
        batch = decode_batch(message.value, plan.ingested)
        batch.validate(full=True)  # a forged offset would otherwise be read from memory that is not ours
    except (pa.ArrowException, ValueError, TypeError, OSError, EOFError) as error:
        raise Poison(POISON, "the message is no record batch of the contract's schema") from error
    return batch


def _validated(
    state: ValidationState, message: Message, batch: pa.RecordBatch, plan: Plan, read: Read
) -> Step[ValidationState]:
    name = hashes_of(pa.array([f"{message_id(message)} {message.headers[FILE]}"]))
    again = known(name, state.messages)
    verdict = all_repeated(batch.num_rows, state.recent) if again else judge(batch, plan, state.recent)
    messages = state.messages if again else remembered(state.messages, name, MESSAGES)
    after = replace(state, received=state.received + batch.num_rows, recent=verdict.recent, messages=messages)
    effects: list[Effect] = list(_rows(state, message, batch, verdict, plan))
    if state.generation and state.baseline:
        baseline = replace(read(state.baseline, decode_baseline), generation=state.generation)
        for profile in profiles(batch, verdict, baseline, plan, lane=state.lane, first=state.received):
            event = ProfileTaken(
                pipeline=state.pipeline, file=message.headers[FILE], baseline=state.baseline, profile=profile
            )
            effects.append(to_append(PROFILES.name, event, message))
    return Step(after, tuple(effects))


def _rows(
    state: ValidationState, message: Message, batch: pa.RecordBatch, verdict: Verdict, plan: Plan
) -> Iterator[Append]:
    positions = pa.array(np.arange(state.received, state.received + batch.num_rows))
    rows = pa.RecordBatch.from_arrays([positions, *batch.columns], schema=plan.validated)
    if verdict.accepted.all():
        if rows.num_rows:
            yield _accepted(state, message, rows, batch.num_rows)
        return
    kept = rows.filter(pa.array(verdict.accepted))
    if kept.num_rows:
        yield _accepted(state, message, kept, batch.num_rows)
    yield from _rejected(state, message, rows.filter(pa.array(~verdict.accepted)), verdict, plan)


def _accepted(state: ValidationState, message: Message, rows: pa.RecordBatch, received: int) -> Append:
    headers = _headers(RECORDS_VALIDATED_V1, state, message, rows.num_rows, received)
    return Append(RECORDS_VALIDATED.name, Unit(state.pipeline, state.lane), encode_batch(rows), headers)


def _rejected(
    state: ValidationState, message: Message, rows: pa.RecordBatch, verdict: Verdict, plan: Plan
) -> Iterator[Append]:
    """Mostly one letter. Reasons may be longer than their rows, so that it takes several to hold them."""
    received = len(verdict.accepted)
    told = ", ".join(f"{rule} {count}" for rule, count in verdict.rejects(0, received))
    broken = error_headers(STAGE, "RulesBroken", f"rows by broken rule: {told}", RULES_BROKEN, message)
    reasons = pa.array(verdict.reasons(), pa.string())
    refused = pa.RecordBatch.from_arrays([*rows.columns, reasons], schema=plan.rejected)
    for place, piece in enumerate(pieces(refused, LARGEST // 2)):
        headers = _headers(RECORD_REFUSED_V1, state, message, piece.num_rows, received, place)
        yield letter(Unit(state.pipeline, state.lane), encode_batch(piece), headers | broken)


def _headers(
    kind: str, state: ValidationState, message: Message, rows: int, received: int, place: int = 0
) -> dict[str, str]:
    extra = {
        FILE: message.headers[FILE],
        "batch": message.headers.get("batch", ""),
        "rows": rows,
        "lane": state.lane,
        "first": state.received,
        "last": state.received + received,
        **({REPLAYED: message.headers[REPLAYED]} if REPLAYED in message.headers else {}),
    }
    identity = (state.lane, state.received, *([place] if place else []))
    cause, trace = message_id(message), trace_of(message.headers)
    return data_headers(kind, state.pipeline, identity, message.timestamp, extra, cause=cause, trace=trace)


def _poison_letter(state: ValidationState, message: Message, poison: Poison) -> Append:
    """The bytes as they came. They hold no countable rows, so positions do not move."""
    place = (message.topic, message.partition, message.offset)
    extra = {name: message.headers[name] for name in (FILE, "batch", REPLAYED) if name in message.headers}
    cause, trace = message_id(message), trace_of(message.headers)
    headers = data_headers(RECORD_REFUSED_V1, state.pipeline, place, message.timestamp, extra, cause=cause, trace=trace)
    headers["content-type"] = message.headers.get("content-type", "application/octet-stream")
    headers |= error_headers(STAGE, "Undecodable", str(poison), poison.reason, message)
    return letter(Unit(state.pipeline, state.lane), message.value, headers)
