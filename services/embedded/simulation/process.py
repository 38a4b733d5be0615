"""`Process`: one incarnation of one service's process, with the very host and worker that run in production."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from services.embedded.simulation.scenario import Stage
from services.embedded.simulation.wires import Crash, FaultyBlobs, FaultyGroups, FaultyLog, Wire
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Answer, Run
from shared.runtime.hosts import LogHost
from shared.runtime.jobs import JobServices
from shared.runtime.ports import Fenced, LogError, Unsettled
from shared.runtime.worker import Worker

if TYPE_CHECKING:
    from services.embedded.simulation.world import World


class Process:
    """``replaced``: a newer incarnation runs, this one doesn't know. ``busy``: it hangs within an effect."""

    def __init__(self, world: World, stage: Stage, place: str, incarnation: int = 1) -> None:
        self.stage = stage
        self.place = place
        self.incarnation = incarnation
        self.name = f"{place}#{incarnation}"
        self.alive = True
        self.replaced = False
        self.busy = False
        self.runs: deque[Run] = deque()
        self._world = world
        self._opened = False
        self._wire = Wire(world, self)
        self._build(self._wire)

    def step(self) -> bool:
        """One turn: whether anything moved."""
        return self._live(self._work)

    def job(self) -> bool:
        """Runs the job that waits for longest."""
        return self._live(self._run)

    def wake_at(self) -> int | None:
        return self.worker.wake_at()

    def _build(self, wire: Wire) -> None:
        log, blobs = FaultyLog(wire), FaultyBlobs(wire)
        name = self.place if self._world.stable_names else self.name
        core = self.stage.core_of(name)
        read = BlobReader(blobs)
        self._services = JobServices(log, blobs, read)
        host = LogHost(
            core,
            log,
            FaultyGroups(wire),
            member=self.name,
            transactional=name,
            start=self.runs.append,
            answer=self._answer,
            atomic=self.stage.atomic,
        )
        lane_topics = self._world.scenario.lane_topics
        self.worker = Worker(core, log, read, host, lane_topics=lane_topics, batch=self._world.batch)

    def _live(self, turn: Callable[[], bool]) -> bool:
        self.busy = True
        try:
            return turn()
        except Crash:
            self.alive = False
        except LogError as error:
            self._world.note(self.name, f"stops: {type(error).__name__}")
            self._opened = False
            # Who learns that it was replaced has to go; who only lost its partitions joins again.
            self.alive = not (self.replaced and isinstance(error, Fenced))
            return not isinstance(error, Unsettled)
        finally:
            self.busy = False
        return True

    def _work(self) -> bool:
        if not self._opened:
            self.worker.open()
            self._opened = True
            return True
        return self.worker.step() or self.worker.tick(self._world.log.now())

    def _run(self) -> bool:
        run = self.runs.popleft()
        self._wire.stall(f"job {run.job} token {run.token}")
        self._world.note(self.name, f"runs {run.job} token {run.token}")
        self._world.scenario.jobs(run, self._services)
        return True

    def _answer(self, answer: Answer) -> None:
        self._world.note(self.name, f"answers {answer.request} {answer.status}")
