"""What a simulation runs and what must hold: `Scenario`, `Stage`, and the `Checker` protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from shared.adapters.memory import TopicSettings
from shared.runtime.core import Append, Core
from shared.runtime.jobs import JobRunner

if TYPE_CHECKING:
    from services.embedded.simulation.history import History


class Checker(Protocol):
    """A fold over the history. One instance per run; it keeps its own place in the log, so that looking is cheap."""

    @property
    def name(self) -> str: ...

    def observe(self, history: History) -> str | None:
        """Called after every step; None, or what is wrong (the smallest witness: ids and offsets).

        ``history.quiet`` is True once, at the end: faults have stopped and nothing moves any more. Only then may
        it be demanded that everything has arrived.
        """


@dataclass(frozen=True, slots=True)
class Stage:
    """A core and how its processes run it. ``per_process`` builds it for a process by name, where the core has one."""

    core: Core[Any]
    atomic: bool
    replicas: int = 2
    per_process: Callable[[str], Core[Any]] | None = None

    def core_of(self, process: str) -> Core[Any]:
        return self.core if self.per_process is None else self.per_process(process)


def no_jobs(*_: object) -> None:
    """For scenarios whose cores start none."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything but the choices. ``inputs`` are appended from outside, in order, while the stages run.

    ``horizon``: log time (ms) after the faults stop, within which timers are followed to quiescence. ``batches``: how
    many messages a process folds into one unit of work; each run has one of them. ``patience``: turns without faults
    after which a run that still moves is called stuck. ``pace``: turns between two inputs while there are faults, so
    that these meet all of a long story.
    """

    name: str
    topics: Mapping[str, TopicSettings]
    stages: Sequence[Stage]
    inputs: Sequence[Append]
    checkers: Callable[[], Sequence[Checker]]
    lane_topics: frozenset[str] = frozenset()
    jobs: JobRunner = no_jobs
    blobs: Sequence[bytes] = ()
    steps: int = 150
    horizon: int = 600_000
    batches: tuple[int, ...] = (1, 2, 3)
    patience: int = 2_000
    pace: int = 0
