"""The shape of every service's core: ``handle(state, input, read) -> Step(state, effects)``.

A core is a pure function.  Everything it may know comes in: its state, one input, and ``read``, which opens
immutable blobs by digest.  Everything it wants done goes out, as effects.  The same core then runs embedded in
one process, under the crashing scheduler of the simulation, and distributed over Kafka; only the host differs.

What breaks otherwise: a clock, a random number or a client call inside a core makes two replays of one log
disagree, and a decision that can't be replayed can't be explained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

State = TypeVar("State")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Unit:
    """What one state belongs to: a pipeline, or one lane of it (``lane`` is None where a core folds all lanes)."""

    pipeline: str
    lane: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it stands in the log. ``timestamp`` is the log's append time in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tick:
    """A timer that a core asked for with `Wake` has come due. ``now`` is in the log's time, in milliseconds."""

    name: str
    now: int


@dataclass(frozen=True, slots=True)
class Request:
    """A question or a delivery from outside that waits for an `Answer` (HTTP, CLI). ``trace``: its W3C trace context,
    or ""."""

    id: str
    action: str
    body: bytes
    now: int
    content_type: str = "application/json"
    trace: str = ""


Input = Message | Tick | Request


@dataclass(frozen=True, slots=True)
class Append:
    """Write one message to the log.

    The partition is not the client library's choice: hosts derive it from (pipeline, lane), because librdkafka's
    and Java's default partitioners differ and lanes must meet.
    """

    topic: str
    unit: Unit
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wake:
    """Ask for a `Tick` of this name at ``at`` (log time, ms). Asking again moves the timer."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Run:
    """Start a job. Its results come back as ledger messages that the job appends itself.

    ``token`` is the ledger offset of the accepted claim: a result that carries an older one is ignored by every
    reader (fencing).
    """

    job: str
    token: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a `Request`, after the appends before it are acknowledged."""

    request: str
    status: int
    body: bytes


Effect = Append | Wake | Run | Answer


@dataclass(frozen=True, slots=True)
class Step(Generic[State]):
    """What a core made of one input."""

    state: State
    effects: tuple[Effect, ...] = ()


class Read(Protocol):
    """Opens blobs: same digest, same value. ``decode`` must be a module-level function; hosts cache by both."""

    def __call__(self, digest: str, decode: Callable[[bytes], Value]) -> Value: ...


class Core(Protocol[State]):
    """One service's logic, per unit."""

    @property
    def name(self) -> str: ...

    @property
    def reads(self) -> tuple[str, ...]:
        """Topics, in the order in which an idle host should drain them."""
        ...

    @property
    def state_type(self) -> Any:
        """The state's frozen dataclass, for the codec."""
        ...

    @property
    def per_lane(self) -> bool:
        """Whether each lane has a state of its own."""
        ...

    def initial(self, unit: Unit) -> State: ...

    def handle(self, state: State, item: Input, read: Read) -> Step[State]: ...
