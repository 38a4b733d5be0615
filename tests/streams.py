"""Real recorded streams for tests: present beside the repository, or the test skips (and fails under CI)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def stream(name: str) -> Path:
    """Path of a recorded stream's CSV.gz."""
    path = DATA / f"{name}.csv.gz"
    if not path.exists():
        reason = f"the recorded stream {name!r} is not beside the repository (../shared/data)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path
