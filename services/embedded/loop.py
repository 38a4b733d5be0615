"""`Loop`: all cores in one process over one log, until nothing moves. The host of ``demo``, ``run``, ``backtest``.

Deterministic: cores in the given order, topics in each core's order, timers by due time, jobs first in, first out
and only when everything else rests.  The same appends at the same log times give the same history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from shared.adapters.memory import MemoryGroups, MemoryLog, TopicSettings
from shared.events.topics import TOPICS
from shared.runtime.advance import Held
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Answer, Core, Request, Run, Unit
from shared.runtime.hosts import LogHost, ProcessHost, snapshots_of
from shared.runtime.jobs import JobRunner, JobServices
from shared.runtime.ports import Blobs
from shared.runtime.worker import Worker, WorkerHost

LANE_TOPICS = frozenset(topic.name for topic in TOPICS if topic.per_lane)


class Unanswered(LookupError):
    """A core took a request and never answered it."""


class Loop:
    """``persist`` keeps states in the log too (``snapshots.<core>``): another Loop over it continues where this stops.

    ``read`` shares decoded blobs with the caller; ``lane_topics`` names the topics that are split by lane.
    """

    def __init__(
        self,
        cores: Sequence[Core[Any]],
        log: MemoryLog,
        blobs: Blobs,
        jobs: JobRunner,
        *,
        persist: bool = False,
        lane_topics: frozenset[str] = LANE_TOPICS,
    ) -> None:
        self.read = BlobReader(blobs)
        self.services = JobServices(log, blobs, self.read)
        self._log = log
        self._jobs = jobs
        self._runs: deque[Run] = deque()
        self._answers: dict[str, Answer] = {}
        groups = MemoryGroups(log) if persist else None
        self._hosts = {core.name: self._host(core, groups) for core in cores}
        self._workers = {
            core.name: Worker(core, log, self.read, self._hosts[core.name], lane_topics=lane_topics) for core in cores
        }
        for worker in self._workers.values():
            worker.open()

    def drain(self) -> None:
        """Until nothing moves at the log's present time: messages, then due timers, then waiting jobs."""
        while self._messages() or self._timer() or self._job():
            pass

    def request(self, core: str, unit: Unit, request: Request) -> Answer:
        """Advances the core by the request; drains only if the answer depends on what follows from it."""
        self._workers[core].requests([(unit, request)])
        if request.id not in self._answers:
            self.drain()
        try:
            return self._answers.pop(request.id)
        except KeyError:
            raise Unanswered(
                f"{core!r} left {request.action!r} ({request.id}) unanswered: it must emit Answer"
            ) from None

    def held(self, core: str, unit: Unit) -> Held[Any] | None:
        """What a core keeps for a unit, for those who only look."""
        return self._hosts[core].held(unit)

    def wake_at(self) -> int | None:
        """When the next timer is due (log time, ms): advance the clock to it, then `drain`."""
        return min((at for worker in self._workers.values() if (at := worker.wake_at()) is not None), default=None)

    def _messages(self) -> bool:
        moved = False
        for worker in self._workers.values():
            while worker.step():
                moved = True
        return moved

    def _timer(self) -> bool:
        now = self._log.now()
        due = [(at, worker) for worker in self._workers.values() if (at := worker.wake_at()) is not None and at <= now]
        return bool(due) and min(due, key=lambda entry: entry[0])[1].tick(now)

    def _job(self) -> bool:
        if not self._runs:
            return False
        self._jobs(self._runs.popleft(), self.services)
        return True

    def _host(self, core: Core[Any], groups: MemoryGroups | None) -> WorkerHost:
        if groups is None:
            return ProcessHost(core, self._log, self._runs.append, self._keep)
        partitions = max((self._log.partitions(topic) for topic in core.reads), default=1)
        self._log.create(snapshots_of(core), TopicSettings(partitions, compacted=True, max_message_bytes=64 << 20))
        return LogHost(
            core,
            self._log,
            groups,
            member="embedded",
            transactional=core.name,
            start=self._runs.append,
            answer=self._keep,
            atomic=True,
        )

    def _keep(self, answer: Answer) -> None:
        self._answers[answer.request] = answer
