"""``driftloop predict``: ask the champion in service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import Name

PATIENCE = 10.0
"""Seconds for the door to answer."""


def command(
    name: Name,
    source: Annotated[Path, typer.Argument(metavar="FILE|-", help="CSV, CSV.gz, Parquet or NDJSON; - for lines.")],
    log: Annotated[
        bool, typer.Option("--log", help="Let the rows become records of the stream; their ids are printed.")
    ] = False,
) -> None:
    """Print what the champion in service says of each row, one JSON line a row: prediction, score, version.

    Prediction's door is at $DRIFTLOOP_PREDICTION_URL, or else at http://localhost:8081.
    """
    from services.cli import running
    from services.cli.predicting import answers, tables, tensors

    first = 0
    with running.opened_doors(seconds=PATIENCE) as doors:
        inputs = doors.metadata(name)["inputs"]
        for table in tables(source):
            answer = doors.infer(name, tensors(table, inputs, first), log=log)
            for told in answers(answer, first):
                print(json.dumps(told, ensure_ascii=False))
            first += table.num_rows
