"""`Check`: one rule that a column's values keep or break."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from shared.domain.contract import Feature
from shared.plugins import discover

PACKAGE = "services.validation.checks"
Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Check:
    """``applies``: whether a feature's rules give the check anything to do. ``failed``: one boolean per value, true
    where the rule is broken; called only for columns of the feature's Arrow type. A null breaks no rule but null's.

    ``rule`` names the check in reason codes and profiles: never change it.
    """

    rule: str
    applies: Callable[[Feature], bool]
    failed: Callable[[pa.Array, Feature], Mask]


@cache
def checks() -> tuple[Check, ...]:
    return discover(PACKAGE, "CHECK")


def numbers(column: pa.Array) -> np.ndarray[Any, Any]:
    """A numeric column for comparisons: nulls are NaN, which no comparison finds."""
    return np.asarray(column.to_numpy(zero_copy_only=False))


def nobody(rows: int) -> Mask:
    return np.zeros(rows, np.bool_)
