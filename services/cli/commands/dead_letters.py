"""``driftloop dead-letters``: what was refused, and taking it out to be repaired."""

from __future__ import annotations

import base64
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.options import AsJson, Name

if TYPE_CHECKING:
    from services.cli.letters.letter import Letter
    from shared.runtime.ports import Log

Reason = Annotated[str | None, typer.Option(help="Only letters of this reason.")]

app = typer.Typer(
    help="What was refused: look at it, and take it out to be repaired.", no_args_is_help=True, rich_markup_mode=None
)


@app.command(name="list", short_help="List them, with counts by reason.")
def list_letters(name: Name, reason: Reason = None, as_json: AsJson = False) -> None:
    """List a pipeline's dead letters: place, stage, reason, rows, when; then how many there are of each reason."""
    from services.cli import running
    from services.cli.letters.letter import letters_of

    with running.opened_log() as log:
        _refuse_unknown(log, name)
        counted: Counter[tuple[str, str]] = Counter()
        for letter in letters_of(log, name, reason):
            counted[letter.stage, letter.reason] += letter.rows or 1
            print(json.dumps(_described(letter)) if as_json else _line(letter))
    if not as_json:
        _print_counts(counted)


@app.command(short_help="Show one: its headers, and on demand what it holds.")
def show(
    name: Name,
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="PARTITION/OFFSET, as the list shows it.")],
    value: Annotated[bool, typer.Option("--value", help="Also what was refused: it may hold personal data.")] = False,
) -> None:
    """Show a letter's headers; with --value the refused data too."""
    from services.cli import running
    from services.cli.letters.letter import letter_at

    with running.opened_log() as log:
        found = letter_at(log, name, letter)
    for header, said in sorted(found.headers.items()):
        print(f"{header}: {said}")
    if value:
        print()
        _print_value(found)


@app.command(short_help="Write them to files, to be repaired.")
def export(
    name: Name,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("dead-letters"),
    reason: Reason = None,
    each: Annotated[bool, typer.Option("--each", help="A file per letter, with the bytes as they were sent.")] = False,
) -> None:
    """Write letters to files that a person repairs and 'driftloop replay' puts back.

    Rows that can be told apart become lines of letters.ndjson; whatever can't, a file of its own.
    """
    from services.cli import running
    from services.cli.letters.export import export as write
    from services.cli.letters.letter import letters_of

    with running.opened_log() as log:
        _refuse_unknown(log, name)
        written = write(letters_of(log, name, reason), name, out, running.opened_blobs, each=each)
    if not written.lines and not written.files:
        print(f"{name} has no dead letters{f' of reason {reason}' if reason else ''}; nothing was written")
        return
    print(f"wrote {written.lines:,} rows as lines and {written.files:,} letters as files of their own to {out}")
    print(f"\nNext: repair them, then driftloop replay {name} {out}")


def _refuse_unknown(log: Log, name: str) -> None:
    """UserError for a name that neither the ledger nor any letter knows. Letters of names that were never applied are
    no rarity: that is why they died."""
    from services.cli.ledger import pipelines, refuse_unknown
    from services.cli.letters.letter import letters_of

    if name not in pipelines(log) and next(letters_of(log, name), None) is None:
        refuse_unknown(log, name)


def _line(letter: Letter) -> str:
    rows = f"{letter.rows:,} rows" if letter.rows not in (None, 1) else "1 row" if letter.rows else "a message"
    again = f", put back {letter.replayed} times before" if letter.replayed else ""
    words = letter.words or f"{len(letter.message.value):,} bytes, and no header that says why or by whom"
    return f"{letter.place:>9}  {_when(letter)}  {letter.stage}  {letter.reason}  {rows}{again}: {words}"


def _when(letter: Letter) -> str:
    """To the second; when it was appended, where its writer said no time."""
    from shared.events.envelope import timestamp

    return (letter.headers.get("ce_time") or timestamp(letter.message.timestamp))[:19]


def _described(letter: Letter) -> dict[str, object]:
    return {
        "letter": letter.place,
        "stage": letter.stage,
        "reason": letter.reason,
        "message": letter.words,
        "rows": letter.rows,
        "replayed": letter.replayed,
        "headers": dict(letter.headers),
    }


def _print_counts(counted: Counter[tuple[str, str]]) -> None:
    if not counted:
        print("no dead letters")
        return
    print()
    width = max(len(reason) for _, reason in counted)
    for (stage, reason), rows in counted.most_common():
        print(f"{reason:<{width}}  {rows:>9,}  at {stage}")


def _print_value(letter: Letter) -> None:
    from services.cli import running
    from services.cli.errors import UserError
    from services.cli.letters.rows import line, opened
    from shared.runtime.ports import BlobDamaged, BlobMissing

    if letter.columnar:
        try:
            rows = opened(letter, running.opened_blobs)
        except (UserError, BlobMissing, BlobDamaged) as error:
            print(f"note: its columns stay closed: {error}", file=sys.stderr)
            rows = None
        if rows is not None:
            _print_all(line({"_reason": row.reason, **row.record}) for row in rows)
            return
    try:
        print(letter.message.value.decode())
    except UnicodeDecodeError:
        print("base64:" + base64.b64encode(letter.message.value).decode())


def _print_all(lines: Iterable[str]) -> None:
    for each in lines:
        print(each, end="")
