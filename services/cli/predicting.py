"""Rows to tensors of the Open Inference Protocol, and answers to lines: what `predict` says of each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import pyarrow as pa

from services.cli.client.bodies import ARROW_STREAM
from services.cli.errors import UserError
from services.cli.sending import Delivery, deliveries
from services.ingestion.conversion import convert
from services.ingestion.formats._json import columns_of_lists, loads

ROWS = 1000
"""Of one request."""
TYPES: dict[str, pa.DataType] = {"FP64": pa.float64(), "INT64": pa.int64(), "BOOL": pa.bool_(), "BYTES": pa.string()}
"""What the metadata of a model calls a tensor's values."""
PREDICTION, SCORE, ID = "prediction", "score", "_id"


def tables(source: Path) -> Iterator[pa.Table]:
    """A file's rows by its suffix, or standard input's JSON lines."""
    for part in deliveries(source, ROWS, csv=False, stop=Flag()):
        yield _arrow(part) if part.content_type == ARROW_STREAM else _json(part)


def _arrow(part: Delivery) -> pa.Table:
    with pa.ipc.open_stream(pa.py_buffer(part.body)) as stream:
        return stream.read_all()


def _json(part: Delivery) -> pa.Table:
    """Columns as ingestion makes them of the same lines. UserError for a line that is no object."""
    rows = [_object(line) for line in part.body.split(b"\n")]
    names = dict.fromkeys(name for row in rows for name in row)
    columns, _ = columns_of_lists({name: [row.get(name) for row in rows] for name in names})
    return pa.table(columns)


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError("a line is no JSON object; send one per line")
    return found


def tensors(rows: pa.Table, wanted: Sequence[Mapping[str, Any]], first: int) -> list[dict[str, Any]]:
    """The model's inputs that the rows have; one that is lacking is told by the door, which knows which it needs.

    ``wanted``: inputs of the model's metadata; ``first``: the number of the first row, for errors.
    """
    return [
        _tensor(rows, each["name"], each["datatype"], first) for each in wanted if each["name"] in rows.schema.names
    ]


def _tensor(rows: pa.Table, name: str, datatype: str, first: int) -> dict[str, Any]:
    converted = convert(rows.column(name), TYPES[datatype])
    if converted.misfits is not None:
        row = first + int(np.flatnonzero(converted.misfits)[0])
        raise UserError(f"row {row:,}: column {name!r} is no {datatype}; the model takes nothing else there")
    return {"name": name, "datatype": datatype, "shape": [rows.num_rows], "data": converted.values.to_pylist()}


def answers(answer: Mapping[str, Any], first: int) -> Iterator[dict[str, Any]]:
    """One object per row; no score where the model gives none, and an id where the row became one of the stream's."""
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    for place, predicted in enumerate(outputs[PREDICTION]):
        told = {"row": first + place, "predicted": predicted, "version": answer["model_version"]}
        for name, key in ((SCORE, "score"), (ID, "id")):
            if name in outputs:
                told[key] = outputs[name][place]
        yield told
