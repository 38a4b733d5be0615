"""Letters to files: rows that can be told apart into one file of lines, everything else as the bytes that came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from services.cli.errors import UserError
from services.cli.letters.letter import Letter
from services.cli.letters.rows import Row, line, opened
from services.cli.letters.sidecar import LETTER, NAME, ROWS, WHY, Entry, Sidecar
from services.ingestion.formats._json import JSON
from services.ingestion.formats.csv_text import CSV
from services.ingestion.raw import ARROW_STREAM
from shared.events.data import ARROW_BATCH
from shared.runtime.ports import Blobs

SUFFIXES = {JSON: ".json", CSV: ".csv", ARROW_STREAM: ".arrows", "application/x-ndjson": ".ndjson"}


@dataclass(frozen=True, slots=True)
class Exported:
    """How many letters came out as lines, and how many as files of their own."""

    lines: int = 0
    files: int = 0


def export(
    letters: Iterator[Letter], pipeline: str, folder: Path, blobs: Callable[[], Blobs], *, each: bool
) -> Exported:
    """``each``: a file per letter, with the bytes that were sent. Without letters nothing is written.

    UserError where the folder holds letters already.
    """
    if (folder / NAME).exists():
        raise UserError(f"{folder}: holds exported letters already; give another folder with --out")
    first = next(letters, None)
    if first is None:
        return Exported()
    # Rows may be nobody else's business.
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Without a sidecar it is what an export that failed left behind.
    (folder / ROWS).unlink(missing_ok=True)
    sidecar = Sidecar(pipeline)
    written = Exported()
    for letter in chain([first], letters):
        rows = opened(letter, blobs)
        if rows is not None and (letter.columnar or not each):
            file = f"{_stem(letter)}.ndjson" if each else ROWS
            _append(folder / file, letter, rows, sidecar)
            written = Exported(written.lines + len(rows), written.files)
        else:
            _write(folder, letter, rows, sidecar)
            written = Exported(written.lines, written.files + 1)
    sidecar.write(folder)
    return written


def _append(path: Path, letter: Letter, rows: tuple[Row, ...], sidecar: Sidecar) -> None:
    with path.open("a" if path.name == ROWS else "w", encoding="utf-8") as file:
        for number, row in enumerate(rows):
            name = f"{letter.place}/{number}"
            why = row.reason if letter.columnar else f"{row.reason}: {letter.words}"
            sidecar.entries[name] = _entry(letter, path.name, row)
            file.write(line({LETTER: name, WHY: why, **row.record}))


def _write(folder: Path, letter: Letter, rows: tuple[Row, ...] | None, sidecar: Sidecar) -> None:
    path = folder / f"{_stem(letter)}{SUFFIXES.get(letter.media_type, '.bin')}"
    path.write_bytes(letter.message.value)
    sidecar.entries[letter.place] = _entry(letter, path.name, rows[0] if rows else None)


def _entry(letter: Letter, file: str, row: Row | None) -> Entry:
    own = "" if letter.action == "labels" else letter.row_id
    whole = row is None and letter.rows is None and letter.action == "records"
    return Entry(
        file=file,
        action=letter.action or "",
        reason=row.reason if row else letter.reason,
        id=row.id if row else own,
        batch=letter.batch if whole else "",
        replayed=letter.replayed,
        refusal=_refusal(letter, row),
    )


def _refusal(letter: Letter, row: Row | None) -> str:
    if letter.action is None:
        return f"{letter.stage} failed on it behind the door, in {letter.origin or 'no topic'}: mend the defect"
    if letter.cut:
        return f"it holds the beginning alone, of {letter.cut:,} bytes: the source has to send the whole again"
    if row is None and letter.media_type == ARROW_BATCH:
        return "its bytes are no rows of the contract"
    return "a row of this id was accepted before" if row is not None and row.counted else ""


def _stem(letter: Letter) -> str:
    return letter.place.replace("/", "-")
