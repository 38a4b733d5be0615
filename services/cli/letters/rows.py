"""The rows in a letter, as objects that a person can repair and the door can take again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from services.cli.letters.letter import Letter
from services.ingestion.formats import _csv
from services.ingestion.formats._json import JSON
from services.ingestion.formats.cloudevents import EVENT
from services.ingestion.formats.csv_text import CSV
from services.ingestion.raw import ARROW_STREAM
from services.validation.duplicates import RULE as DUPLICATE
from shared.domain.contract import Contract
from shared.domain.pipeline_file import decode_pipeline
from shared.domain.rows import ID, POSITION, decode_batch, ingested_schema, labels_schema, validated_schema
from shared.events.data import FILE
from shared.events.topics import LABELS, RECORDS_INGESTED, RECORDS_VALIDATED
from shared.events.validation import REASON_COLUMN, rejected_schema
from shared.runtime.ports import Blobs

RULES_BROKEN = "rules-broken"
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a letter. ``id``: what it was called, and has to be called again; "" where its own columns say so
    (labels). ``reason`` is its own, where the letter holds rows of several."""

    record: Record
    id: str
    reason: str

    @property
    def counted(self) -> bool:
        """Whether another row of this id was accepted before: it must not come again."""
        return self.reason == f"{DUPLICATE}:{ID}"


def opened(letter: Letter, blobs: Callable[[], Blobs]) -> tuple[Row, ...] | None:
    """The rows; None for bytes that hold none which could be told apart.

    ``blobs`` opens the pipeline file that validation's letters are read with; its errors go to the caller.
    """
    if letter.cut:
        return None
    if letter.columnar:
        return _of_columns(letter, decode_pipeline(blobs().get(letter.headers[FILE])).contract)
    if letter.rows is None:
        return None
    read = READERS.get(letter.media_type)
    try:
        found = read(letter.message.value) if read else []
    except (ValueError, TypeError, RecursionError, pa.ArrowException):
        return None
    return (_delivered(letter, found[0]),) if len(found) == 1 else None


def _delivered(letter: Letter, record: Record) -> Row:
    """A row as it came to ingestion. One that was put back before carries its id with it."""
    own = record.pop(ID, None) if letter.replayed else None
    if letter.action == "labels":
        return Row(record, "", letter.reason)
    return Row(record, str(own or letter.row_id), letter.reason)


def _of_columns(letter: Letter, contract: Contract) -> tuple[Row, ...] | None:
    schema = _schema(letter, contract)
    try:
        batch = decode_batch(letter.message.value, schema) if schema else None
        records = batch.to_pylist() if batch is not None and batch.validate(full=True) is None else None
    except (pa.ArrowException, ValueError, TypeError, OSError, EOFError, OverflowError):
        return None  # an old letter may hold an instant that has no date
    return None if records is None else tuple(_typed(record, letter, contract) for record in records)


def _schema(letter: Letter, contract: Contract) -> pa.Schema | None:
    if letter.reason == RULES_BROKEN:
        return rejected_schema(contract)
    schemas = {
        RECORDS_INGESTED.name: ingested_schema,
        RECORDS_VALIDATED.name: validated_schema,
        LABELS.name: labels_schema,
    }
    return schemas[letter.origin](contract) if letter.origin in schemas else None


def _typed(record: Record, letter: Letter, contract: Contract) -> Row:
    """As a producer would have sent it: the id under the contract's name for it, nothing of ours."""
    name = record.pop(ID)
    record.pop(POSITION, None)
    reason = record.pop(REASON_COLUMN, letter.reason)
    labels = letter.action == "labels"
    column = contract.record_id or (ID if labels else None)
    return Row({column: name, **record} if column else record, "" if labels else name, reason)


def _json(value: bytes) -> list[Record]:
    """An object; one of lists of one value each is how ingestion keeps a row of columnar JSON."""
    found = json.loads(value)
    if not isinstance(found, dict):
        return []
    if found and all(isinstance(each, list) and len(each) == 1 for each in found.values()):
        return [{name: each[0] for name, each in found.items()}]
    return [found]


def csv_rows(value: bytes) -> list[Record]:
    names = _csv.header(io.BytesIO(value))
    options = {"parse_options": _csv.parsing(), "convert_options": _csv.as_text(names)}
    return list(pacsv.read_csv(pa.BufferReader(value), **options).to_pylist())


def arrow_rows(value: bytes) -> list[Record]:
    with pa.ipc.open_stream(pa.py_buffer(value)) as stream:
        return list(stream.read_all().to_pylist())


def _event(value: bytes) -> list[Record]:
    """The row that a CloudEvent carries."""
    found = json.loads(value)
    data = found.get("data") if isinstance(found, dict) else None
    return [data] if isinstance(data, dict) else []


READERS: dict[str, Callable[[bytes], list[Record]]] = {
    JSON: _json,
    CSV: csv_rows,
    EVENT: _event,
    ARROW_STREAM: arrow_rows,
}
"""What ingestion writes as the original of one row."""


def line(record: Record) -> str:
    """A line of NDJSON. NaN and Infinity stay, which ingestion reads and JSON proper has not."""
    return json.dumps(record, ensure_ascii=False, default=_text) + "\n"


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
