"""A run to look at while it goes: a live view on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from services.cli.progress import SECONDS_BETWEEN_LINES, line

if TYPE_CHECKING:
    from rich.console import RenderableType

EVENTS_SHOWN = 9
FRAMES_PER_SECOND = 8


@dataclass(slots=True)
class Scene:
    """What there is to see now."""

    name: str = ""
    rows: int = 0
    total: int = 0
    seconds: float = 0.0
    champion: str = "none yet"
    quality: dict[str, str] = field(default_factory=dict)
    """Policy -> its accuracy of late, in words."""


class Stage(Protocol):
    """Where a scene and what happens in it are shown."""

    def show(self, scene: Scene) -> None: ...

    def happened(self, row: int, words: str) -> None: ...


@contextmanager
def stage() -> Iterator[Stage]:
    """A live view if standard output is a terminal; else lines on it, and progress on standard error."""
    if not sys.stdout.isatty():
        yield _Lines()
        return
    from rich.live import Live

    with Live(refresh_per_second=FRAMES_PER_SECOND) as live:
        yield _View(live.update)


class _Lines:
    def __init__(self) -> None:
        self._told = perf_counter()

    def show(self, scene: Scene) -> None:
        now = perf_counter()
        if now - self._told < SECONDS_BETWEEN_LINES or not scene.rows:
            return
        self._told = now
        quality = ", ".join(f"{name} {value}" for name, value in scene.quality.items())
        told = line(scene.name, scene.rows, scene.total, scene.seconds)
        print(f"{told}; {quality}; champion {scene.champion}", file=sys.stderr, flush=True)

    def happened(self, row: int, words: str) -> None:
        print(event_line(row, words), flush=True)


class _Update(Protocol):
    def __call__(self, renderable: RenderableType) -> None: ...


class _View:
    def __init__(self, update: _Update) -> None:
        self._update = update
        self._events: deque[str] = deque(maxlen=EVENTS_SHOWN)
        self._scene = Scene()

    def show(self, scene: Scene) -> None:
        self._scene = scene
        self._update(_picture(scene, tuple(self._events)))

    def happened(self, row: int, words: str) -> None:
        self._events.append(event_line(row, words))
        self.show(self._scene)


def event_line(row: int, words: str) -> str:
    """ "row  2,640: drift detected …" """
    return f"row {row:>6,}: {words}"


def _picture(scene: Scene, events: tuple[str, ...]) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    head = Table.grid(padding=(0, 2))
    for name, value in _figures(scene):
        head.add_row(Text(name, "dim"), value)
    bar = ProgressBar(total=max(1, scene.total), completed=scene.rows, width=60)
    told = [Text(event, overflow="ellipsis", no_wrap=True) for event in events]
    return Group(head, bar, Text(), *told)


def _figures(scene: Scene) -> Iterator[tuple[str, str]]:
    if scene.rows:
        yield "progress", line(scene.name, scene.rows, scene.total, scene.seconds)
    for name, value in scene.quality.items():
        yield f"accuracy, {name}", value
    yield "champion", scene.champion
