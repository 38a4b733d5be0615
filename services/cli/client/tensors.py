"""Columns as tensors of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

TEXT = "BYTES"


def tensors_of(columns: Mapping[str, Sequence[Any]], datatypes: Mapping[str, str]) -> list[dict[str, Any]]:
    """``datatypes``: what the model's metadata says. A column it doesn't know goes as text, and the door says so."""
    return [_tensor(name, list(values), datatypes.get(name, TEXT)) for name, values in columns.items()]


def _tensor(name: str, values: list[Any], datatype: str) -> dict[str, Any]:
    data = [_plain(value, datatype) for value in values]
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": data}


def _plain(value: Any, datatype: str) -> Any:
    """A value as JSON knows it: numpy's scalars, times, missing numbers."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN is the only value that is not itself
        return None
    return value if value is None or datatype != TEXT else str(value)
