"""``driftloop run``: a pipeline in one process, on a pipe or a growing file."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.errors import UserError
from services.cli.live import event_line

if TYPE_CHECKING:
    from services.cli.session.session import Session
    from shared.domain.pipeline import Pipeline

MOMENT = 0.25
"""Seconds that a record waits at most for others to be handled with."""
COMPRESSED = {".gz": "zcat", ".bz2": "bzcat", ".xz": "xzcat", ".zst": "zstdcat"}
"""Suffixes of packed files, and what unpacks each."""
PARQUET = (".parquet", ".pq")
STOPPING = (signal.SIGINT, signal.SIGTERM)


class Lines(StrEnum):
    """How a record is written."""

    NDJSON = "ndjson"
    CSV = "csv"


def command(
    pipeline: Annotated[Path, typer.Option(help="Pipeline file.")],
    source: Annotated[
        Path | None, typer.Argument(metavar="INPUT", help="File of records; standard input by default.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on reading as the file grows, like tail -f.")] = False,
    folder: Annotated[
        Path, typer.Option("--dir", help="Folder for the ledger, the models and the dead letters.")
    ] = Path("driftloop-run"),
    lines: Annotated[
        Lines | None,
        typer.Option("--format", help="By default CSV for a .csv file, else NDJSON."),
    ] = None,
) -> None:
    """Predict records as they come, one JSON line each, and keep the model right. Decisions are told on stderr.

    Labels come in the record, or later as {"id": …, "LABEL": …} where the pipeline file says "arrives: late".
    """
    from services.cli.usable import check_usable
    from shared.domain.pipeline_file import read_pipeline

    described = read_pipeline(pipeline)
    check_usable(described)
    if follow and source is None:
        raise UserError("--follow goes with a file: standard input is followed anyway")
    stop = Event()
    with _opened(source) as descriptor, stopped_by_signals(stop):
        _run(described, pipeline, descriptor, folder, lines or _format(source), follow, stop)


def _run(pipeline: Pipeline, file: Path, descriptor: int, folder: Path, form: Lines, follow: bool, stop: Event) -> None:
    from services.cli.session.lines import Feed, batches
    from services.cli.session.session import Session

    feed = Feed(descriptor, pipeline.steps.size * pipeline.lanes, MOMENT, follow)
    with closing(Session(pipeline, folder, sys.stdout, _say)) as session:
        (folder / "pipeline.yaml").write_bytes(file.read_bytes())
        print(f"collecting {pipeline.window:,} labelled records for the first model", file=sys.stderr)
        for batch in batches(feed, stop):
            _feed(session, batch, form)
        print(session.account, file=sys.stderr)


def _feed(session: Session, batch: list[bytes], form: Lines) -> None:
    if form is Lines.CSV and session.header is None:
        session.header, batch = batch[0], batch[1:]
    if batch:
        session.feed(batch)


def _format(source: Path | None) -> Lines:
    return Lines.CSV if source is not None and source.suffix.lower() == ".csv" else Lines.NDJSON


def _say(row: int, words: str) -> None:
    print(event_line(row, words), file=sys.stderr, flush=True)


@contextmanager
def _opened(source: Path | None) -> Iterator[int]:
    if source is None or str(source) == "-":
        yield sys.stdin.fileno()
        return
    _refuse_what_holds_no_lines(source)
    try:
        file = source.open("rb", buffering=0)
    except OSError as error:
        raise UserError(f"{source}: can't be opened: {error.strerror}") from None
    with file:
        yield file.fileno()


def _refuse_what_holds_no_lines(source: Path) -> None:
    if not source.exists():
        raise UserError(f"{source}: there is no such file")
    if source.is_dir():
        raise UserError(f"{source}: is a folder; give the file that holds the records")
    *_, inner, suffix = ["", "", *source.suffixes]
    if suffix.lower() in COMPRESSED:
        csv = " --format csv" if inner.lower() == ".csv" else ""
        pipe = f"{COMPRESSED[suffix.lower()]} {source} | driftloop run{csv} …"
        raise UserError(f"{source}: is compressed; decompress it into the pipe: {pipe}")
    if suffix.lower() in PARQUET:
        raise UserError(
            f"{source}: is Parquet, which holds no lines; 'driftloop backtest' reads it, 'run' wants CSV or NDJSON"
        )


@contextmanager
def stopped_by_signals(stop: Event) -> Iterator[None]:
    """The first SIGINT or SIGTERM ends the run in order; a second one ends it at once."""

    def on_signal(_: int, __: object) -> None:
        stop.set()
        for each in STOPPING:
            signal.signal(each, signal.SIG_DFL)

    before = {number: signal.signal(number, on_signal) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
