"""Repaired files, read back: which rows they hold now, and which letter each of them was."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from services.cli.errors import UserError
from services.cli.letters.rows import Record, arrow_rows, csv_rows
from services.cli.letters.sidecar import LETTER, NAME, WHY, Entry, Sidecar, read_sidecar
from shared.domain.rows import ID

WIDTH = re.compile(r"(Row #\d+: )?Expected \d+ columns, got \d+")
"""In Arrow's words about CSV, which go on with the row itself."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """A row that may go back. ``name``: its entry in the sidecar; a whole delivery's rows share one."""

    name: str
    entry: Entry
    record: Record


def repaired(pipeline: str, path: Path) -> tuple[Path, Sidecar, list[Repaired]]:
    """The folder, its sidecar and the rows of one file, or of all files of a folder that are still there.

    A file of a folder that can't be read yet stays a letter. UserError for a file that was not exported, or can't be
    read and was asked for by name; for lines that have lost their names; for another pipeline's letters.
    """
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder")
    folder = path if path.is_dir() else path.parent
    sidecar = read_sidecar(folder)
    if sidecar.pipeline != pipeline:
        raise UserError(f"{folder}: holds letters of {sidecar.pipeline!r}, not of {pipeline!r}")
    there = [(here, entries) for file, entries in sidecar.files() if (here := _present(folder, file)) is not None]
    chosen = [(here, entries) for here, entries in there if path in (folder, here)]
    if path != folder and not chosen:
        raise UserError(f"{path}: is none of the files that {folder / NAME} names")
    rows = (row for here, entries in chosen for row in _rows(here, entries, asked=here == path))
    return folder, sidecar, list(rows)


def _present(folder: Path, file: str) -> Path | None:
    """The file, under whatever suffix it has now: a line that was no JSON may have become CSV."""
    if (folder / file).is_file():
        return folder / file
    others = (each for each in folder.glob(f"{Path(file).stem}.*") if each.name != NAME and each.suffix in READERS)
    return next(others, None)


def _rows(path: Path, entries: Mapping[str, Entry], *, asked: bool) -> Iterator[Repaired]:
    if any(name.count("/") > 1 for name in entries):
        yield from _named(path, entries)
        return
    [(name, entry)] = entries.items()
    if entry.stays:
        yield Repaired(name, entry, {})
        return
    try:
        yield from _of_one(path, name, entry)
    except UserError as error:
        if asked:
            raise
        yield Repaired(name, replace(entry, refusal=str(error)), {})


def _of_one(path: Path, name: str, entry: Entry) -> list[Repaired]:
    """The rows of a letter that has the file to itself."""
    records = _read(path)
    if not entry.batch and len(records) != 1:
        raise UserError(f"{path}: letter {name} is one row, and the file holds {len(records)}; make it one")
    return [Repaired(name, entry, _with_id(record, entry, f"{entry.batch}:{n}")) for n, record in enumerate(records)]


def _named(path: Path, entries: Mapping[str, Entry]) -> Iterator[Repaired]:
    seen: set[str] = set()
    for number, record in enumerate(_read(path), 1):
        name = record.pop(LETTER, None)
        record.pop(WHY, None)
        if name not in entries or name in seen:
            wrong = "comes twice" if name in seen else "names no letter of this export"
            raise UserError(f"{path}: line {number}: {LETTER!r} {wrong}; leave it in the line as it was exported")
        seen.add(name)
        yield Repaired(name, entries[name], _with_id(record, entries[name], ""))


def _with_id(record: Record, entry: Entry, counted: str) -> Record:
    """A label names its record by itself; a record is called what it was called."""
    return {ID: entry.id or counted, **record} if entry.action == "records" else record


def _read(path: Path) -> list[Record]:
    read = READERS.get(path.suffix)
    if read is None:
        raise UserError(f"{path}: is not read by its suffix; rename it to .json, .ndjson or .csv when it is one")
    try:
        found = read(path.read_bytes())
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: line {error.lineno} is not JSON: {error.msg}") from None
    except (pa.ArrowException, ValueError, OSError, RecursionError) as error:
        # The error's own words may quote a row.
        raise UserError(f"{path}: can't be read as {path.suffix[1:]}{_where(error)}") from error
    strangers = [place for place, record in enumerate(found, 1) if not isinstance(record, dict)]
    if strangers:
        raise UserError(f"{path}: row {strangers[0]} is no JSON object")
    return found


def _where(error: Exception) -> str:
    """What a reader of CSV tells of the row it stopped at, without the row."""
    found = WIDTH.search(str(error))
    return f": {found[0]}" if found else ""


def _lines(text: bytes) -> list[Any]:
    found = []
    for number, each in enumerate(text.decode().split("\n"), 1):
        if each.strip():
            try:
                found.append(json.loads(each))
            except json.JSONDecodeError as error:
                error.lineno = number
                raise
    return found


def _document(text: bytes) -> list[Any]:
    """An object, a list of them, or columns."""
    found = json.loads(text)
    if isinstance(found, list):
        return found
    if isinstance(found, dict) and found and all(isinstance(each, list) for each in found.values()):
        return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
    return [found]


READERS: dict[str, Callable[[bytes], list[Any]]] = {
    ".ndjson": _lines,
    ".jsonl": _lines,
    ".json": _document,
    ".csv": csv_rows,
    ".arrows": arrow_rows,
}
