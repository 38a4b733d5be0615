"""The command line, called in this process: what came out, what was said, and the exit code."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.cli.main import main


@dataclass(frozen=True, slots=True)
class Called:
    code: int
    out: str
    err: str


def call(*arguments: object) -> Called:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Called(code, out.getvalue(), err.getvalue())


def write_rows(path: Path, rows: int = 400, *, label: str = "", header: str = "a,b,class", fixed: str = "") -> Path:
    """A CSV file of two random numbers and a class that follows from the first one, unless ``label`` says otherwise."""
    random = np.random.default_rng(7)
    lines = [
        f"{fixed or f'{a:.4f}'},{fixed or f'{b:.4f}'},{label or ('x' if a > 0.5 else 'y')}"
        for a, b in random.random((rows, 2)).tolist()
    ]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path
