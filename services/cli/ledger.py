"""The ledger of the running system, out of its topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pydantic import ValidationError

from services.cli.errors import UserError
from services.cli.history import History
from services.cli.reading import Tail, of_pipeline, whole
from shared.events.base import Event
from shared.events.envelope import from_message
from shared.events.topics import LEDGER
from shared.runtime.core import Message
from shared.runtime.partitions import partition_of
from shared.runtime.ports import Blobs, Log

PLACE = "the running system"
Told = tuple[Event, Mapping[str, str]]
"""An event, and the headers that it was written with."""


class LedgerTail:
    """A pipeline's ledger from now on, each event once; ``since_start``: all that was said before too."""

    def __init__(self, log: Log, pipeline: str, *, since_start: bool) -> None:
        partition = partition_of(pipeline, None, log.partitions(LEDGER.name))
        since = None if since_start else log.end_offset(LEDGER.name, partition)
        self._tail = Tail(log, LEDGER.name, partition, since)
        self._pipeline = pipeline

    def fresh(self) -> Iterator[Told]:
        """What was said since the last call."""
        return _events(message for message in self._tail.fresh() if message.key == self._pipeline)


def ledger_history(log: Log, pipeline: str, open_blobs: Callable[[], Blobs]) -> History:
    """UserError for a pipeline that the ledger knows nothing of."""
    told = list(_events(of_pipeline(log, LEDGER.name, pipeline)))
    if not told:
        refuse_unknown(log, pipeline)
    return History(PLACE, tuple(event for event, _ in told), tuple(headers for _, headers in told), open_blobs)


def pipelines(log: Log) -> tuple[str, ...]:
    """Every pipeline that the ledger speaks of, by name."""
    partitions = log.partitions(LEDGER.name)
    return tuple(sorted({message.key for message in whole(log, LEDGER.name) if _at_home(message, partitions)}))


def strangers(log: Log) -> int:
    """Messages of no pipeline: without a key, or not in its partition, where nobody looks for them."""
    partitions = log.partitions(LEDGER.name)
    return sum(not _at_home(message, partitions) for message in whole(log, LEDGER.name))


def _at_home(message: Message, partitions: int) -> bool:
    return bool(message.key) and partition_of(message.key, None, partitions) == message.partition


def refuse_unknown(log: Log, pipeline: str) -> None:
    """UserError, with the names that there are."""
    known = ", ".join(pipelines(log)) or "none"
    raise UserError(f"pipeline {pipeline!r}: the running system has none of this name; there are: {known}")


def _events(messages: Iterator[Message]) -> Iterator[Told]:
    """Events of types that this build knows; a newer build's others are passed over, as every reader does."""
    for message in messages:
        try:
            event = from_message(message)
        except ValidationError as error:
            field = ".".join(str(part) for part in error.errors()[0]["loc"])
            at = f"{message.topic}/{message.partition} at offset {message.offset}"
            raise UserError(f"{at}: the event is damaged at {field!r}") from error
        if event is not None:
            yield event, message.headers
