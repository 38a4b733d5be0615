"""The stored examples: what was once written to a log, and has to be read for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared.events.base import CATALOGUE, Event

FOLDER = Path(__file__).parent / "examples"
FILES = tuple(sorted(FOLDER.glob("*/*.json")))
NAMES = tuple(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FILES)
"""``<event type>/<what it shows>``"""


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text(encoding="utf-8")


def document_of(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text_of(name))
    return document


def kind_of(name: str) -> type[Event]:
    return CATALOGUE[name.partition("/")[0]]


def event_of(name: str) -> Event:
    return kind_of(name).model_validate_json(text_of(name))
