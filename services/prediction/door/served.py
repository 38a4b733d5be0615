"""`Served`: which model answers for which pipeline, as `serving` says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from pydantic import ValidationError

from shared.domain.models import Model, load_model
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import decode_pipeline
from shared.events.deployment import ServingChanged
from shared.events.envelope import from_message
from shared.runtime.core import Message, Read

LOGGER = logging.getLogger(__name__)
AGAIN = 1.0
"""Seconds until a model that could not be loaded is tried again."""


@dataclass(frozen=True, slots=True)
class Champion:
    """``model`` and ``version`` are None while a pipeline is collecting its first rows."""

    pipeline: Pipeline
    file: str
    version: str | None
    model: Model | None


class Served:
    """One thread tells and turns, any thread asks. The old champion answers until the new one is loaded.

    What is told is loaded in the next turn, so that of many words about a pipeline at once, as after a start, only the
    last one is. ``failed`` counts a model that could not be loaded: the old one goes on, and it is tried again.
    """

    def __init__(self, read: Read, failed: Callable[[], None]) -> None:
        self._read = read
        self._failed = failed
        self._champions: dict[str, Champion] = {}
        self._offsets: dict[str, int] = {}
        self._waiting: dict[str, tuple[float, ServingChanged]] = {}

    def find(self, pipeline: str) -> Champion | None:
        return self._champions.get(pipeline)

    def is_loading(self, pipeline: str) -> bool:
        """Whether a newer champion is known and is not loaded yet."""
        return pipeline in self._waiting

    def tell(self, message: Message) -> None:
        """A message of ``serving``. An older word than the last one changes nothing; a damaged one is told of."""
        try:
            event = from_message(message)
        except ValidationError:
            # Raised, it would end this process and every one after it: the topic is read from its start.
            LOGGER.error("passed over %s/%d/%d: damaged", message.topic, message.partition, message.offset)
            return
        if isinstance(event, ServingChanged) and event.ledger_offset > self._offsets.get(event.pipeline, -1):
            self._offsets[event.pipeline] = event.ledger_offset
            self._waiting[event.pipeline] = (monotonic(), event)

    def turn(self) -> bool:
        """Loads what was told, and tries again what could not be loaded; whether anything could be now."""
        due = [event for at, event in self._waiting.values() if at <= monotonic()]
        for event in due:
            self._load(event)
        return any(event.pipeline not in self._waiting for event in due)

    def _load(self, event: ServingChanged) -> None:
        try:
            pipeline = self._read(event.file, decode_pipeline)
            model = self._read(event.model, load_model) if event.model else None
        except Exception as error:  # noqa: BLE001 - whatever it is, the old champion has to go on
            LOGGER.error("%s: version %s can't be loaded: %s", event.pipeline, event.version, error)
            self._waiting[event.pipeline] = (monotonic() + AGAIN, event)
            self._failed()
            return
        # In this order: who asks in between must not hear that there is no such pipeline.
        self._champions[event.pipeline] = Champion(pipeline, event.file, event.version, model)
        self._waiting.pop(event.pipeline, None)
        LOGGER.info("%s: version %s answers", event.pipeline, event.version or "none yet")
