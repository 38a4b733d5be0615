"""``driftloop send``: records or labels from a file or a pipe to the running system, or the simulated plant's."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.errors import UserError
from services.cli.options import REFUSED, Url

if TYPE_CHECKING:
    from services.cli.client import Doors
    from services.cli.sending import Account, Delivery

INTERRUPTED = 130
PLANT_RATE = 100.0
"""Rows per second: slow enough for a drift to be answered before the next one comes."""


class Lines(StrEnum):
    """How a line from a pipe is written."""

    NDJSON = "ndjson"
    CSV = "csv"


def command(  # noqa: PLR0917 - a command's options; nobody calls it by position
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The pipeline's name.")] = None,
    source: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="CSV, CSV.gz, Parquet or NDJSON; by default lines of standard input."),
    ] = None,
    labels: Annotated[bool, typer.Option("--labels", help="The rows are late labels: record id and label.")] = False,
    rate: Annotated[float | None, typer.Option(min=0.1, help="Rows per second; by default as fast as they go.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Rows per delivery.")] = 1000,
    lines: Annotated[Lines, typer.Option("--format", help="How lines of standard input are written.")] = Lines.NDJSON,
    plant: Annotated[bool, typer.Option("--plant", help="Send a simulated bottling plant's records.")] = False,
    rows: Annotated[int, typer.Option(min=100, help="With --plant: records to simulate.")] = 12_000,
    seed: Annotated[int, typer.Option(min=0, help="With --plant: another plant.")] = 0,
    url: Url = None,
) -> None:
    """Send rows to the running system. What the contract refuses is told, and kept as dead letters.

    With --plant: applies the plant's pipeline file if it isn't there, sends records at a steady rate (100 per second
    unless told otherwise), and their labels 100 records later. Exit code 1 if not one row was taken.
    """
    from services.cli import running
    from services.cli.commands.run import stopped_by_signals
    from services.cli.plant_traffic import PlantTraffic
    from services.cli.sending import Pace, deliveries, send
    from services.cli.waiting import STARTING
    from services.embedded.plant import Plant

    if plant == (name is not None):
        raise UserError("send what? Give NAME and a FILE (or lines on standard input), or --plant alone")
    stop = Flag()
    with running.opened_doors(url, seconds=STARTING) as doors, stopped_by_signals(stop):
        pace = Pace(rate or (PLANT_RATE if plant else None), stop)
        if name is None:
            account = PlantTraffic(doors, Plant(seed, rows)).run(pace, stop)
        else:
            size = batch if rate is None else max(1, min(batch, int(rate)))
            parts = deliveries(source, size, csv=lines is Lines.CSV, stop=stop)
            account = send(parts, partial(_deliver, doors, name, "labels" if labels else "records"), pace, stop)
    _tell(account, pace.words(account))
    _end(account, stop)


def _end(account: Account, stop: Flag) -> None:
    if stop.is_set():
        raise typer.Exit(INTERRUPTED)
    if account.sent and not account.accepted:
        raise typer.Exit(REFUSED)


def _deliver(doors: Doors, name: str, action: str, part: Delivery) -> Mapping[str, Any]:
    return doors.deliver(name, action, part.body, part.content_type)


def _tell(account: Account, words: str) -> None:
    print(words)
    for problem in account.problems:
        print(f"  {problem}")
    if account.dead > len(account.problems):
        print("  … see 'driftloop dead-letters list NAME'")
