"""Work that child processes can import by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from shared.runtime.core import Run


def note(run: Run) -> None:
    Path(run.payload.decode()).write_text(f"{run.job} in {os.getpid()}")


def fail(run: Run) -> None:
    raise ValueError("no rows")


def die(run: Run) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang(run: Run) -> None:
    Path(run.payload.decode()).write_text(str(os.getpid()))
    signal.pause()
