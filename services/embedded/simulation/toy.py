"""A small scenario with one core of each kind. It calibrates the simulator: its mutants must be caught.

``relay`` (lanes, atomic) numbers what it reads and passes it on.  ``clerk`` (pipelines, step by step) requests a job
for each ask, claims it, starts it when it sees its claim in the ledger, claims again when the lease has run out, and
accepts the first result that carries the newest token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.embedded.simulation.checkers import AllRead, ExactlyOnce, LogOrder, OffsetsMonotone, StateIsFold, where
from services.embedded.simulation.history import History, Unread
from services.embedded.simulation.scenario import Checker, Scenario, Stage
from shared.adapters.memory import MemoryBlobs, TopicSettings
from shared.runtime.core import Append, Input, Message, Read, Run, Step, Tick, Unit, Wake
from shared.runtime.jobs import JobServices

LEASE = 60_000


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages, and the newest setting."""

    seen: int = 0
    setting: str = ""


class Relay:
    """Consume, number, produce."""

    name = "relay"
    reads: tuple[str, ...] = ("in", "settings")
    state_type = Count
    per_lane = True

    def initial(self, _: Unit) -> Count:
        return Count()

    def handle(self, state: Count, item: Input, _: Read) -> Step[Count]:
        assert isinstance(item, Message)
        if item.topic == "settings":
            return Step(replace(state, setting=item.value.decode()))
        counted = replace(state, seen=state.seen + 1)
        unit = Unit(item.key, int(item.headers["lane"]))
        both = (("out", b"%d" % counted.seen), ("sums", item.value))
        return Step(counted, tuple(Append(topic, unit, value, {"cause": where(item)}) for topic, value in both))


class PlainRelay(Relay):
    """Without settings: its states are a function of one topic, so they can be folded again."""

    name = "plain"
    reads = ("out",)

    def handle(self, state: Count, item: Input, _: Read) -> Step[Count]:
        assert isinstance(item, Message)
        counted = Count(state.seen + int(item.value))
        unit = Unit(item.key, int(item.headers["lane"]))
        return Step(counted, (Append("totals", unit, b"%d" % counted.seen, {"cause": where(item)}),))


@dataclass(frozen=True, slots=True)
class Job:
    """``attempt`` claims were made; ``token`` is the newest valid one, -1 before the first."""

    name: str
    attempt: int = 0
    token: int = -1
    done: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """Jobs in the order of their requests."""

    jobs: tuple[Job, ...] = ()


class Clerk:
    """Requests, claims, leases, tokens."""

    name = "clerk"
    reads: tuple[str, ...] = ("ledger", "asks")
    state_type = Desk
    per_lane = False

    def initial(self, _: Unit) -> Desk:
        return Desk()

    def handle(self, state: Desk, item: Input, _: Read) -> Step[Desk]:
        if isinstance(item, Tick):
            return self._claim(state, item.name, "p")
        assert isinstance(item, Message)
        if item.topic == "asks":
            return Step(state, (_say(item.key, "requested", item.value.decode()),))
        kind, name, number = item.value.decode().split()
        job = next((job for job in state.jobs if job.name == name), None)
        if job is None:
            return self._claim(Desk((*state.jobs, Job(name))), name, item.key)
        if kind == "claimed" and int(number) > job.attempt - 1 and not job.done:
            taken = replace(job, token=item.offset, attempt=max(job.attempt, int(number)))
            start = Run(name, item.offset, f"{item.key} {name}".encode())
            return Step(_with(state, taken), (Wake(name, item.timestamp + LEASE), start))
        if kind == "completed" and int(number) == job.token and not job.done:
            return Step(_with(state, replace(job, done=True)), (_say(item.key, "accepted", name),))
        return Step(state)

    def _claim(self, state: Desk, name: str, pipeline: str) -> Step[Desk]:
        job = next(job for job in state.jobs if job.name == name)
        if job.done:
            return Step(state)
        claimed = replace(job, attempt=job.attempt + 1)
        return Step(_with(state, claimed), (_say(pipeline, "claimed", name, claimed.attempt),))


def _say(pipeline: str, kind: str, name: str, number: int = 0) -> Append:
    return Append("ledger", Unit(pipeline), f"{kind} {name} {number}".encode())


def _with(state: Desk, job: Job) -> Desk:
    return Desk(tuple(job if job.name == other.name else other for other in state.jobs))


def work(run: Run, services: JobServices) -> None:
    """The result is stored before the ledger hears of it."""
    pipeline, name = run.payload.decode().split()
    services.blobs.put(name.encode())
    services.append(_say(pipeline, "completed", name, run.token))


class OneResult:
    """Each ask is accepted in the end. Repeated records of one acceptance are one fact: a fold counts them once."""

    name = "one-result"

    def __init__(self) -> None:
        self._asks = Unread("asks")
        self._ledger = Unread("ledger")
        self._asked: set[str] = set()
        self._accepted: dict[str, int] = {}

    def observe(self, history: History) -> str | None:
        self._asked.update(message.value.decode() for message in self._asks(history))
        for message in self._ledger(history):
            kind, name, _ = message.value.decode().split()
            if kind == "accepted":
                self._accepted.setdefault(name, message.offset)
        strange = sorted(set(self._accepted) - self._asked)
        missing = sorted(self._asked - set(self._accepted)) if history.quiet else []
        return f"never asked for: {strange}; never accepted: {missing}" if strange or missing else None


def scenario(inputs: int = 6, steps: int = 150) -> Scenario:
    """Two lanes, two partitions, two processes per core."""
    two, one = TopicSettings(2), TopicSettings(1)
    relay, plain, clerk = Relay(), PlainRelay(), Clerk()
    topics = {"in": two, "settings": replace(two, compacted=True), "out": two, "sums": two, "totals": two}
    return Scenario(
        name="toy",
        topics=topics | {"ledger": one, "asks": one},
        stages=(Stage(relay, atomic=True), Stage(plain, atomic=True), Stage(clerk, atomic=False)),
        inputs=tuple(effect for number in range(inputs) for effect in _inputs(number)),
        checkers=checkers,
        lane_topics=frozenset({"in", "out", "sums", "totals"}),
        jobs=work,
        steps=steps,
    )


def _inputs(number: int) -> tuple[Append, ...]:
    row = Append("in", Unit("p", number % 2), b"row %d" % number)
    if number % 3:
        return (row,)
    return (Append("settings", Unit("p"), b"%d" % number), row, Append("asks", Unit("p"), b"job-%d" % number))


def checkers() -> tuple[Checker, ...]:
    return (
        LogOrder("in", "out", "sums", "totals", "ledger"),
        OffsetsMonotone(),
        ExactlyOnce("in", "out", _itself, _cause),
        ExactlyOnce("in", "sums", _itself, _cause),
        ExactlyOnce("out", "totals", _itself, _cause),
        StateIsFold(PlainRelay(), "out", MemoryBlobs()),
        OneResult(),
        AllRead({"relay": ("in",), "plain": ("out",), "clerk": ("asks", "ledger")}),
    )


def _itself(message: Message) -> tuple[str, ...]:
    return (where(message),)


def _cause(message: Message) -> str:
    return message.headers["cause"]
