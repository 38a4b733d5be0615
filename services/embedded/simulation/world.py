"""`World`: one run. The tape decides who goes next and what goes wrong; everything else follows.

A process's turn is plain synchronous code, the same as in production.  Others get in between two of its effects when
it *hangs*: the scheduler then runs inside the hanging effect and returns to it later.  So a process can lose its
session, be replaced, and wake up as a zombie in the middle of a transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from services.embedded.simulation.history import History, Line
from services.embedded.simulation.process import Process
from services.embedded.simulation.scenario import Scenario
from services.embedded.simulation.tape import Tape
from shared.adapters.memory import MemoryBlobs, MemoryGroups, MemoryLog, TopicSettings
from shared.adapters.memory.transactions import TIMEOUT
from shared.runtime.hosts import append_to, snapshots_of
from shared.runtime.ports import LogError, Place

JUMPS = (10, 1_000, TIMEOUT + 1, 90_000)
"""How far the clock may move in one turn (ms): the fair one first, then past every time-out there is."""
LATE = (25, 0, 60, 120)
"""Turns for which the network may hold a request back: long enough to meet its sender's next transaction."""
CHECK_EVERY = 8
"""Turns between two looks of the checkers once the faults are over."""
NESTED = 2
"""Processes that hang at once, at most."""

Actor = tuple[str, Callable[[], bool]]


class Violation(Exception):
    """A checker objected, or the run did not come to rest."""

    def __init__(self, checker: str, reason: str) -> None:
        super().__init__(f"{checker}: {reason}")
        self.checker = checker
        self.reason = reason


class World:
    """Everything outside the cores, under one tape."""

    def __init__(self, scenario: Scenario, tape: Tape) -> None:
        self.scenario = scenario
        self.tape = tape
        self.time = 0
        self.stable_names = tape.knob(2) == 0
        self.jobs_stall = tape.knob(3) == 2
        self.batch = scenario.batches[tape.knob(len(scenario.batches))]
        self.log = MemoryLog(lambda: self.time)
        self.log.coordinator.deferred = True
        self.groups = MemoryGroups(self.log)
        self.blobs = MemoryBlobs()
        self.history = History(self.log, self.blobs)
        self._checkers = tuple(scenario.checkers())
        self._inputs = deque(scenario.inputs)
        self._network: dict[str, Callable[[], object]] = {}
        self._turns: dict[str, int] = {}
        self._turn = 0
        self._sent = 0
        self._hanging = 0
        self._prepare()

    def run(self) -> None:
        """Faults first, then peace until nothing moves. Raises `Violation`."""
        while self._turn < self.scenario.steps:
            self._next()
        self._make_peace()
        self._settle()
        self.history.quiet = True
        self._check()

    def note(self, actor: str, what: str, fault: str = "") -> None:
        self.history.lines.append(Line(self._turn, self.time, actor, what, fault))

    def delay(self, label: str, request: Callable[[], object]) -> None:
        """The network keeps a copy of the request and delivers it when it likes."""
        name = f"late {self._turn} {label}"
        self._network[name] = request
        self._turns[name] = self._turn + LATE[self.tape.pick(len(LATE))]

    def expire(self, process: Process) -> None:
        """The group no longer waits for this member."""
        group = process.stage.core.name
        if process.name in self.groups.members(group):
            self.groups.expire(group, process.name)

    def rewind(self, group: str, place: Place) -> int:
        """Sets a group back by two offsets, as an operator's reset or a lost commit would."""
        offset = max(self.log.start_offset(*place), self.log.coordinator.committed[group, place] - 2)
        self.log.coordinator.committed[group, place] = offset
        self.history.resets.append((group, place, offset))
        return offset

    def replace(self, process: Process) -> None:
        """Starts the next incarnation, whether the last one is dead or only believed to be."""
        if not process.replaced:
            process.replaced = True
            self._start(Process(self, process.stage, process.place, process.incarnation + 1))

    def stalls_now(self) -> bool:
        """Whether the job that is about to run stalls. In some runs many do: few jobs run while there are faults."""
        return self.jobs_stall and not self.tape.quiet and self.tape.knob(2) == 1

    def let_others_run(self, turns: int) -> None:
        if self._hanging < NESTED:
            self._hanging += 1
            for _ in range(turns):
                self._next()
            self._hanging -= 1

    def _prepare(self) -> None:
        for blob in self.scenario.blobs:
            self.blobs.put(blob)
        for topic, settings in self.scenario.topics.items():
            self.log.create(topic, settings)
        self._processes: list[Process] = []
        for stage in self.scenario.stages:
            partitions = max(self.log.partitions(topic) for topic in stage.core.reads)
            self.log.create(snapshots_of(stage.core), TopicSettings(partitions, compacted=True))
            for replica in range(stage.replicas):
                self._start(Process(self, stage, f"{stage.core.name}-{replica}"))

    def _start(self, process: Process) -> None:
        self._processes.append(process)

    def _next(self) -> bool:
        """One turn for one actor: the tape picks among them, the longest waiting one being first."""
        self._turn += 1
        self.time += 1
        actors = self._actors()
        actors.sort(key=lambda actor: self._turns.setdefault(actor[0], self._turn))
        name, act = actors[self.tape.pick(len(actors))]
        self._turns[name] = self._turn
        moved = act()
        # In peace nothing can be lost between two turns, and a checker sees all that came since it last looked.
        if moved and (not self.tape.quiet or self._turn % CHECK_EVERY == 0):
            self._check()
        return moved

    def _actors(self) -> list[Actor]:
        coordinator = self.log.coordinator
        actors: list[Actor] = [("clock", self._clock)]
        if self._inputs and (self.tape.quiet or self._turn >= self._sent * self.scenario.pace):
            actors.append(("source", self._send))
        for process in self._processes:
            actors += self._offers(process)
        actors += [(f"marker {name}", self._marker(name)) for name in coordinator.unfinished()]
        actors += [(label, self._deliver(label)) for label in self._network]
        actors += [(f"session {p.name}", self._expiry(p)) for p in self._processes if self._silent(p)]
        return actors

    def _silent(self, process: Process) -> bool:
        """Whether the group still waits for someone who is gone."""
        gone = process.replaced or not process.alive
        return gone and process.name in self.groups.members(process.stage.core.name)

    def _offers(self, process: Process) -> list[Actor]:
        if process.busy:
            return []
        if not process.alive:
            return [] if process.replaced else [(f"restart {process.name}", self._restart(process))]
        offers: list[Actor] = [(process.name, process.step)]
        if process.runs:
            offers.append((f"job {process.name}", process.job))
        return offers

    def _send(self) -> bool:
        effect = self._inputs.popleft()
        self._sent += 1
        self.note("source", f"sends {effect.topic} {effect.unit.pipeline}/{effect.unit.lane}")
        append_to(self.log, effect)
        return True

    def _clock(self) -> bool:
        if self.tape.quiet:
            return self._jump()
        self.time += JUMPS[self.tape.pick(len(JUMPS))]
        self.log.coordinator.expire()
        return False

    def _jump(self) -> bool:
        """In peace time flies: to the next thing that waits for it."""
        self.log.coordinator.expire()
        if self._idle < len(self._actors()):
            return False
        wakes = [at for process in self._processes if process.alive and (at := process.wake_at()) is not None]
        wakes += [self.time + TIMEOUT + 1] if self.log.coordinator.open() else []
        if not wakes or min(wakes) > self._until:
            return False
        self.time = max(self.time, min(wakes))
        return True

    def _marker(self, name: str) -> Callable[[], bool]:
        def write() -> bool:
            self.note("coordinator", f"marker {name}")
            self.log.coordinator.write_marker(name)
            return True

        return write

    def _deliver(self, label: str) -> Callable[[], bool]:
        def deliver() -> bool:
            request = self._network.pop(label)
            try:
                request()
            except LogError as error:
                self.note("network", f"{label}: {type(error).__name__}")
            else:
                self.note("network", label)
            return True

        return deliver

    def _restart(self, process: Process) -> Callable[[], bool]:
        def restart() -> bool:
            self.note(process.place, f"starts again as #{process.incarnation + 1}")
            self.replace(process)
            return True

        return restart

    def _expiry(self, process: Process) -> Callable[[], bool]:
        def expire() -> bool:
            self.note("groups", f"session of {process.name} expires")
            self.expire(process)
            return True

        return expire

    def _make_peace(self) -> None:
        self.tape.quiet = True
        self._until = self.time + self.scenario.horizon
        self._idle = 0
        for process in self._processes:
            if process.alive and process.replaced:
                process.alive = False

    def _settle(self) -> None:
        last = self._turn + self.scenario.patience
        while self._idle <= 2 * len(self._actors()):
            if self._turn > last:
                patience = self.scenario.patience
                raise Violation("liveness", f"still moving {patience} turns after the last fault: {self._recent()}")
            self._idle = 0 if self._next() else self._idle + 1
        if pending := [name for name, _ in self._actors() if name.split()[0] not in {"clock", *self._names()}]:
            raise Violation("liveness", f"at rest, but pending: {', '.join(pending)}")
        if self.log.coordinator.open():
            raise Violation("liveness", f"transactions left open: {self.log.coordinator.open()}")

    def _names(self) -> list[str]:
        return [process.name for process in self._processes]

    def _recent(self) -> str:
        return "; ".join(f"{line.actor} {line.what}" for line in self.history.lines[-5:])

    def _check(self) -> None:
        for checker in self._checkers:
            if reason := checker.observe(self.history):
                raise Violation(checker.name, reason)
