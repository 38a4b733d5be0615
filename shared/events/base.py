"""`Event`: a fact or decision as a frozen, versioned type, found by its name in one catalogue."""

from __future__ import annotations

import json
from typing import Any, ClassVar
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict

NAMESPACE = UUID("8a1c6ae2-6f0e-5f7e-9c7b-3b0f5f6b0d51")
"""Root of every derived id. Changing it changes every id that was ever derived: never do."""

CATALOGUE: dict[str, type[Event]] = {}


def derive_id(*parts: object) -> str:
    """A UUIDv5 of the parts: the same cause gives the same id on every run, replay and replica."""
    return str(uuid5(NAMESPACE, json.dumps([str(part) for part in parts], separators=(",", ":"))))


class Part(BaseModel):
    """A piece of an event. Unknown fields are ignored here too, or one new field inside would stop every old reader.

    Infinities and NaN are refused at the writer: JSON has none, they would be written as null, and no reader of the
    log could decode the event ever after.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Event(Part):
    """Something that happened to a pipeline. Unknown fields are ignored, so that old readers read new events.

    Subclasses name their wire type and the fields that make two of them the same fact; the event's id is derived
    from those, so a repeated append (crash, replay) carries the same id and every fold counts it once.
    """

    type: ClassVar[str]
    identity: ClassVar[tuple[str, ...]]

    pipeline: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "type" not in cls.__dict__:
            return
        if cls.type in CATALOGUE:
            raise TypeError(f"event type {cls.type!r} is declared twice: {CATALOGUE[cls.type]} and {cls}")
        CATALOGUE[cls.type] = cls

    @property
    def event_id(self) -> str:
        return derive_id(self.type, self.pipeline, *(getattr(self, name) for name in self.identity))
