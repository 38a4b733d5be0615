"""The sidecar of exported letters: what `replay` has to know about each, beside the files that people repair."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services.cli.errors import UserError

NAME = "letters.json"
ROWS = "letters.ndjson"
"""The file of all rows that could be told apart, one a line."""
LETTER, WHY = "_letter", "_why"
"""What a line of it has beside the record: its name in the sidecar, and what was wrong. No feature begins with "_"."""
MOST_REPLAYS = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A row, or a delivery of which no row could be told apart."""

    file: str
    action: str
    reason: str
    id: str = ""
    """What the row was called and has to be called again; "" where its own columns name it."""
    batch: str = ""
    """For a whole delivery: its id, from which those of its rows are made by counting them."""
    replayed: int = 0
    refusal: str = ""
    """Why it can't be put back."""
    done: str = ""
    """The delivery that put it back."""

    @property
    def stays(self) -> str:
        """Why nothing is sent for it; "" where it may be."""
        if self.replayed >= MOST_REPLAYS:
            return f"was put back {self.replayed} times and died again each time: mend what sends such rows"
        return self.refusal


@dataclass(slots=True)
class Sidecar:
    """``entries`` by name: PARTITION/OFFSET of a letter, and /ROW where it holds several."""

    pipeline: str
    entries: dict[str, Entry] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Whole or not at all: losing count of replays would lose their limit."""
        document = {"pipeline": self.pipeline, "letters": {name: asdict(each) for name, each in self.entries.items()}}
        fresh = folder / f"{NAME}.tmp"
        fresh.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
        fresh.replace(folder / NAME)

    def files(self) -> Iterator[tuple[str, Mapping[str, Entry]]]:
        """Each file with what lies in it."""
        for file in dict.fromkeys(each.file for each in self.entries.values()):
            yield file, {name: each for name, each in self.entries.items() if each.file == file}


def read_sidecar(folder: Path) -> Sidecar:
    """UserError where there is none, or one that is damaged."""
    path = folder / NAME
    if not path.is_file():
        raise UserError(f"{folder}: holds no {NAME}; give what 'driftloop dead-letters export' wrote")
    try:
        document = json.loads(path.read_text("utf-8"))
        return Sidecar(document["pipeline"], {name: Entry(**each) for name, each in document["letters"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: is damaged ({type(error).__name__}); export the letters again") from None
