"""`Served`: which model answers for which pipeline, as `serving` says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

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
    """One thread tells, any thread asks. The old champion answers until the new one is loaded.

    ``failed`` counts a model that could not be loaded: the old one goes on, and it is tried again.
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
        """Whether a newer champion is known and could not be loaded yet."""
        return pipeline in self._waiting

    def tell(self, message: Message) -> None:
        """A message of ``serving``. An older word than the last one changes nothing."""
        event = from_message(message)
        if isinstance(event, ServingChanged) and event.ledger_offset > self._offsets.get(event.pipeline, -1):
            self._offsets[event.pipeline] = event.ledger_offset
            self._load(event)

    def turn(self) -> bool:
        """Tries again what could not be loaded; whether anything could be now."""
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
        self._waiting.pop(event.pipeline, None)
        self._champions[event.pipeline] = Champion(pipeline, event.file, event.version, model)
        LOGGER.info("%s: version %s answers", event.pipeline, event.version or "none yet")
