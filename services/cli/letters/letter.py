"""`Letter`: one message of ``records.dead``, and what its headers say about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from services.cli.errors import UserError
from services.cli.reading import whole
from services.ingestion.registry import media_type
from shared.events.base import derive_id
from shared.events.data import ARROW_BATCH, FILE, REASON, REPLAYED
from shared.events.letters import CUT
from shared.events.topics import LABELS, RECORDS_DEAD, RECORDS_INGESTED
from shared.runtime.core import Message
from shared.runtime.ports import Log, OffsetOutOfRange

ACTION = "driftloop.action"
ERRORS = "__connect.errors."

Action = Literal["records", "labels"]
DOORS: dict[str, Action] = {RECORDS_INGESTED.name: "records", LABELS.name: "labels"}
"""By the topic that a letter's data came in behind the door: which way it takes in again."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that was refused, and where it stands."""

    message: Message

    @property
    def place(self) -> str:
        """Its name for people and commands: partition and offset in ``records.dead``."""
        return f"{self.message.partition}/{self.message.offset}"

    @property
    def headers(self) -> Mapping[str, str]:
        return self.message.headers

    @property
    def stage(self) -> str:
        return self.headers.get(f"{ERRORS}stage", "unknown")

    @property
    def reason(self) -> str:
        return self.headers.get(REASON, "unknown")

    @property
    def words(self) -> str:
        return self.headers.get(f"{ERRORS}exception.message", "")

    @property
    def media_type(self) -> str:
        return media_type(self.headers.get("content-type", "application/octet-stream"))

    @property
    def origin(self) -> str:
        """The topic that the data came in; "" for a delivery over HTTP."""
        return self.headers.get(f"{ERRORS}topic", "")

    @property
    def rows(self) -> int | None:
        """How many rows it holds, where that is known without opening it."""
        if "rows" in self.headers:
            return int(self.headers["rows"])
        return 1 if "row" in self.headers else None

    @property
    def row_id(self) -> str:
        """What ingestion called the row where no column names it; "" for a letter that isn't one row of a delivery."""
        return f"{self.batch}:{self.headers['row']}" if "row" in self.headers else ""

    @property
    def cut(self) -> int:
        """Bytes that the data had, where they were more than a letter can hold; 0 where it is whole."""
        return int(self.headers.get(CUT, 0))

    @property
    def replayed(self) -> int:
        return int(self.headers.get(REPLAYED, 0))

    @property
    def action(self) -> Action | None:
        """Which door its rows go through; None for what came through no door."""
        if ACTION in self.headers:
            return "labels" if self.headers[ACTION] == "labels" else "records"
        return "records" if self.stage == "ingestion" else DOORS.get(self.origin)

    @property
    def columnar(self) -> bool:
        """Whether its bytes are rows of the contract's schema, which only the pipeline file can open."""
        return self.media_type == ARROW_BATCH and FILE in self.headers

    @property
    def batch(self) -> str:
        """The id of the delivery; it names the rows where no column does."""
        if "batch" in self.headers:
            return self.headers["batch"]
        place = f"{self.origin}/{self.headers.get(f'{ERRORS}partition')}/{self.headers.get(f'{ERRORS}offset')}"
        return derive_id("batch", self.message.key, place)


def letters_of(log: Log, pipeline: str, reason: str | None = None) -> Iterator[Letter]:
    """A pipeline's letters, by partition and offset: its lanes have partitions of their own."""
    for message in whole(log, RECORDS_DEAD.name):
        letter = Letter(message)
        if message.key == pipeline and reason in (None, letter.reason):
            yield letter


def letter_at(log: Log, pipeline: str, place: str) -> Letter:
    """UserError for a place that holds none of the pipeline's letters."""
    partition, slash, offset = place.partition("/")
    if not (slash and partition.isdigit() and offset.isdigit()):
        raise UserError(f"letter {place!r}: has to be PARTITION/OFFSET, as 'driftloop dead-letters list' shows it")
    unknown = UserError(f"letter {place!r}: {pipeline!r} has none there; see 'driftloop dead-letters list {pipeline}'")
    if int(partition) >= log.partitions(RECORDS_DEAD.name):
        raise unknown
    try:
        found = log.read(RECORDS_DEAD.name, int(partition), int(offset), 1)
    except OffsetOutOfRange:
        raise UserError(f"letter {place!r}: is gone: letters are kept for 30 days") from None
    if not found or found[0].offset != int(offset) or found[0].key != pipeline:
        raise unknown
    return Letter(found[0])
