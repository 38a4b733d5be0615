"""The drawing of the data's way in the README, read as words and arrows: where they stand does not matter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^## How it works\n+```\w*\n(?P<drawing>.*?)^```", re.MULTILINE | re.DOTALL)
WORD = re.compile(r"[a-z]+(?:[._][a-z]+)*")
RIGHT = re.compile(r"[ ─┼┴┬]*→[ ─┼┴┬]*")
LEFT = re.compile(r"[ ─┼┴┬]*←[ ─┼┴┬]*")


@dataclass(frozen=True, slots=True)
class Drawing:
    """``arrows`` are those between two words of one line, (from, to); others turn corners and are not followed."""

    words: frozenset[str]
    arrows: frozenset[tuple[str, str]]


def drawing() -> Drawing:
    found = BLOCK.search(README.read_text(encoding="utf-8"))
    assert found, f"{README.name}: there is no drawing right under 'How it works'"
    lines = [list(WORD.finditer(line)) for line in found["drawing"].splitlines()]
    words = frozenset(word.group() for line in lines for word in line)
    return Drawing(words, frozenset(arrow for line in lines for arrow in _arrows(line)))


def _arrows(line: list[re.Match[str]]) -> list[tuple[str, str]]:
    arrows = []
    for left, right in pairwise(line):
        between = left.string[left.end() : right.start()]
        if RIGHT.fullmatch(between):
            arrows.append((left.group(), right.group()))
        elif LEFT.fullmatch(between):
            arrows.append((right.group(), left.group()))
    return arrows
