"""A state that an older build stored is read by this one, with all that it held.

A field may be added with a default. What is renamed, dropped or read as something else fails here; then the way on is
a default or the old name, or to give the old states up on purpose (`tests.contracts.snapshots`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.runtime.codec import decode, encode
from tests.contracts.snapshots import FILES, FOLDER, KINDS, kinds


def lost(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Where something stood that is gone or is something else."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name, part in old.items():
            yield from lost(part, new.get(name, "nothing"), f"{place}.{name}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (part, other) in enumerate(zip(old, new, strict=True)):
            yield from lost(part, other, f"{place}[{number}]")
    elif old != new:
        yield place


def read_again(state: bytes, kind: Any) -> list[str]:
    """What is lost where a state is loaded and saved."""
    return list(lost(json.loads(state), json.loads(encode(decode(kind, state), kind))))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_what_an_older_build_stored_is_read_with_all_that_it_held(path: Path) -> None:
    assert read_again(path.read_bytes(), KINDS[path.parent.name]) == []


@pytest.mark.parametrize("core", KINDS)
def test_every_core_has_stored_states(core: str) -> None:
    stored = [path.read_bytes() for path in FILES if path.parent.name == core]
    assert KINDS[core].__args__[0] in set[type]().union(*(kinds(decode(KINDS[core], state)) for state in stored))


def test_nothing_is_stored_for_a_core_that_is_none() -> None:
    assert {path.parent.name for path in FILES} == KINDS.keys()


@dataclass(frozen=True, slots=True)
class Was:
    seen: int = 1


@dataclass(frozen=True, slots=True)
class Renamed:
    met: int = 0


@dataclass(frozen=True, slots=True)
class Grown:
    seen: int = 0
    heard: int = 0


def test_a_field_that_was_renamed_is_lost_and_one_that_was_added_is_not() -> None:
    assert read_again(encode(Was()), Renamed) == [".state.seen"]
    assert read_again(encode(Was()), Grown) == []
