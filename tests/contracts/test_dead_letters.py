"""A dead letter that an older build wrote is read as it was then, down to the ids that replay gives its rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contracts.dead_letters import FILES, LETTERS, read


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_an_older_build_wrote_is_read_as_it_was_then(path: Path) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert read(stored) == stored["reads"]


def test_every_kind_of_letter_is_stored() -> None:
    assert {path.stem for path in FILES} >= LETTERS.keys()
