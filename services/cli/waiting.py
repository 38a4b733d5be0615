"""Waiting for a system that is just being started, but not for ever."""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TypeVar

from services.cli.errors import UserError

STARTING = 120.0
"""Seconds that a system may take to start."""
PAUSE = 1.0

Value = TypeVar("Value")


def until_answered(ask: Callable[[], Value], absent: type[Exception], whom: str, *, seconds: float = STARTING) -> Value:
    """Asks again while ``absent`` is raised, and says once that it waits. UserError with the last cause at the end."""
    deadline, told = monotonic() + seconds, False
    while True:
        try:
            return ask()
        except absent as error:
            if monotonic() >= deadline:
                raise UserError(f"{whom} did not answer within {seconds:.0f} s: {error}") from error
        if not told:
            print(f"waiting for {whom}", file=sys.stderr, flush=True)
            told = True
        Event().wait(PAUSE)
