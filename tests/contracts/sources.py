"""Which topics a service's own sources name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from shared.events import topics
from shared.events.topics import Topic

SERVICES = Path(__file__).parents[2] / "services"
HOME = topics.__name__


def named_topics(service: str) -> set[Topic]:
    """Those that it imports from their declarations; nobody can read or append under a name of their own."""
    return set(_imported(SERVICES / service))


def _imported(folder: Path) -> Iterator[Topic]:
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == HOME:
                found = (getattr(topics, name.name) for name in node.names)
                yield from (each for each in found if isinstance(each, Topic))
