"""Rows on their way to the door: what a file or a pipe holds, in deliveries, at a steady rate."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from time import perf_counter
from typing import Any

import pyarrow as pa

from services.cli.client.bodies import ARROW_STREAM, stream_of
from services.cli.errors import UserError
from services.cli.progress import SECONDS_BETWEEN_LINES
from services.cli.recorded import SUFFIXES as TABLES
from services.cli.session.lines import Feed, batches
from services.cli.session.sorting import CSV, NDJSON
from services.ingestion.sources import read_batches

LINES = (".ndjson", ".jsonl")
MOMENT = 0.5
"""Seconds that a line from a pipe waits at most for others to be sent with."""
REFUSALS_TOLD = 5


@dataclass(frozen=True, slots=True)
class Delivery:
    """A body of ``rows`` rows."""

    body: bytes
    content_type: str
    rows: int


def deliveries(source: Path | None, rows: int, *, csv: bool, stop: Flag) -> Iterator[Delivery]:
    """A file's rows by its suffix, or standard input's lines; ``csv``: lines are CSV with a header.

    UserError for a file that isn't there or of no known kind; DataError for one that can't be read.
    """
    if source is not None and source.name.lower().endswith(TABLES):
        _check(source)
        yield from (of_rows(batch) for batch in read_batches(source, rows))
        return
    with _opened(source) as descriptor:
        yield from _of_lines(Feed(descriptor, rows, MOMENT, follow=False), csv, stop)


def of_rows(batch: pa.RecordBatch) -> Delivery:
    """Columns of text are made what the contract says at the door."""
    return Delivery(stream_of(batch), ARROW_STREAM, batch.num_rows)


def _of_lines(feed: Feed, csv: bool, stop: Flag) -> Iterator[Delivery]:
    header: list[bytes] = []
    for lines in batches(feed, stop):
        rows = lines
        if csv and not header:
            header, rows = lines[:1], lines[1:]
        if rows:
            yield Delivery(b"\n".join([*header, *rows]), CSV if csv else NDJSON, len(rows))


@contextmanager
def _opened(source: Path | None) -> Iterator[int]:
    if source is None or str(source) == "-":
        yield sys.stdin.fileno()
        return
    _check(source)
    if not source.name.lower().endswith(LINES):
        raise UserError(f"{source}: only {', '.join((*TABLES, *LINES))} files are read; or pipe lines into 'send NAME'")
    with source.open("rb", buffering=0) as file:
        yield file.fileno()


def _check(source: Path) -> None:
    if not source.is_file():
        raise UserError(f"{source}: there is no such file" if not source.exists() else f"{source}: is no file")


@dataclass(slots=True)
class Account:
    """What was sent and what became of it."""

    sent: int = 0
    accepted: int = 0
    dead: int = 0
    problems: list[str] = field(default_factory=list)
    """The first refusals, in words."""

    def add(self, report: Mapping[str, Any]) -> None:
        """A delivery's report; its rows count from where the last one ended."""
        for problem in report["problems"][: REFUSALS_TOLD - len(self.problems)]:
            self.problems.append(f"row {self.sent + problem['row']:,}: {problem['message']}")
        self.sent += report["received"]
        self.accepted += report["accepted"]
        self.dead += report["dead"]


class Pace:
    """Keeps to ``rate`` rows per second (None: as fast as the door takes them), and says now and then how it goes."""

    def __init__(self, rate: float | None, stop: Flag) -> None:
        self._rate = rate
        self._stop = stop
        self._started = self._told = perf_counter()

    def keep(self, sent: int) -> None:
        """Returns when so many rows may have been sent."""
        if self._rate is not None:
            self._stop.wait(max(0.0, self._started + sent / self._rate - perf_counter()))

    def tell(self, account: Account) -> None:
        now = perf_counter()
        if now - self._told >= SECONDS_BETWEEN_LINES:
            self._told = now
            print(self.words(account), file=sys.stderr, flush=True)

    def words(self, account: Account) -> str:
        """ "sent 12,000 rows, 1,850 rows/s, 3 refused" """
        refused = f", {account.dead:,} refused" if account.dead else ""
        rate = account.sent / max(perf_counter() - self._started, 1e-9)
        return f"sent {account.sent:,} rows, {rate:,.0f} rows/s{refused}"


def send(
    parts: Iterable[Delivery], deliver: Callable[[Delivery], Mapping[str, Any]], pace: Pace, stop: Flag
) -> Account:
    """Sends until the parts end or ``stop`` is set."""
    account = Account()
    for part in parts:
        pace.keep(account.sent)
        if stop.is_set():
            break
        account.add(deliver(part))
        pace.tell(account)
    return account
