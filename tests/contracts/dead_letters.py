"""Stored dead letters: what builds up to now have left in ``records.dead``, and `replay` has to put back.

``python -m tests.contracts.dead_letters`` writes those that are missing, with what is read in them now. It changes no
file that is there: letters are kept for thirty days, over any change of build.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from services.cli.letters.letter import Letter
from services.cli.letters.rows import opened
from shared.adapters.memory import MemoryBlobs
from shared.events.letters import set_aside
from shared.runtime.core import Append, Message, Unit
from tests.unit.ingestion.doors import NOW, as_message
from tests.unit.validation.lane import Lane, good

FOLDER = Path(__file__).parent / "letters"
FILES = tuple(sorted(FOLDER.glob("*.json")))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, made in LETTERS.items():
        path = FOLDER / f"{name}.json"
        if not path.exists():
            path.write_text(json.dumps(_stored(*made()), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            print(path.name)


def read(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of a letter and goes back of it: which rows, under which ids, through which door."""
    blobs = MemoryBlobs()
    blobs.put(stored["file"].encode())
    letter = Letter(Message("records.dead", 0, 7, NOW, stored["key"], b64decode(stored["value"]), stored["headers"]))
    rows = opened(letter, lambda: blobs)
    return {
        "stage": letter.stage,
        "reason": letter.reason,
        "words": letter.words,
        "origin": letter.origin,
        "action": letter.action,
        "batch": letter.batch,
        "rows": rows if rows is None else [asdict(row) for row in rows],
    }


def _stored(lane: Lane, letter: Append) -> dict[str, Any]:
    stored = {
        "key": letter.unit.pipeline,
        "headers": dict(letter.headers),
        "value": b64encode(letter.value).decode(),
        "file": lane.door.shelf.blobs[lane.door.file].decode(),
    }
    return {**stored, "reads": read(stored)}


def _refused_row() -> tuple[Lane, Append]:
    lane = Lane()
    *_, letter = lane.door.send(json.dumps([good(), {**good(), "order": "a", "price": "dear"}]).encode())[2]
    return lane, letter


def _refused_message() -> tuple[Lane, Append]:
    lane = Lane()
    [letter] = lane.door.hear(Message("=till", 2, 41, NOW, "shop", b"three crates", {})).effects
    return lane, cast(Append, letter)


def _broken_rules() -> tuple[Lane, Append]:
    lane = Lane()
    *_, letter = lane.receive(good(), {"price": 500, "shop": "west"}, {"shop": None})
    return lane, letter


def _failed_on() -> tuple[Lane, Append]:
    """Rows that a core of ours failed on."""
    lane = Lane()
    [rows] = lane.door.send(json.dumps([{**good(), "order": "a"}]).encode())[2]
    letter = set_aside("validation")(Unit("shop", 0), as_message(rows, 9), ZeroDivisionError())
    return lane, cast(Append, letter)


LETTERS: Mapping[str, Callable[[], tuple[Lane, Append]]] = {
    "refused-row": _refused_row,
    "refused-message": _refused_message,
    "broken-rules": _broken_rules,
    "failed-on": _failed_on,
}


if __name__ == "__main__":
    main()
