"""Bugs planted on purpose, one at a time: a checker that never objects proves nothing.

Each is a protocol mistake that somebody has made in a real system; most are in the tables of FoundationDB's, Kafka's
and Jepsen's findings. ``within`` is how many seeds the campaign may need.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from services.embedded.simulation.wires import FaultyLog, FaultyProducer
from shared.adapters.memory import MemoryGroups, MemoryLog
from shared.adapters.memory.transactions import Coordinator
from shared.runtime.advance import Held
from shared.runtime.hosts import LogHost
from shared.runtime.ports import Indefinite, LogError, Unsettled
from shared.runtime.worker import Worker


@dataclass(frozen=True, slots=True)
class Mutant:
    """``owner.attribute`` is replaced, and what ``also`` lists.

    ``caught_by``: beginnings of the names of the checkers that should object.
    """

    name: str
    owner: Any
    attribute: str
    replacement: Any
    caught_by: tuple[str, ...]
    within: int = 200
    also: tuple[tuple[Any, str, Any], ...] = ()

    @contextmanager
    def planted(self) -> Iterator[None]:
        with ExitStack() as stack:
            for owner, attribute, replacement in ((self.owner, self.attribute, self.replacement), *self.also):
                stack.enter_context(patch.object(owner, attribute, replacement))
            yield


@contextmanager
def _offsets_before_outputs(self: LogHost) -> Iterator[Any]:
    work = _Recorded()
    yield work
    self._groups.commit(self._membership, work.positions)
    with ORIGINAL_WORK(self) as real:
        work.replay(real)


@contextmanager
def _state_after_the_transaction(self: LogHost) -> Iterator[Any]:
    work = _Recorded()
    yield work
    with ORIGINAL_WORK(self) as real:
        for effect in work.appends:
            real.append(effect)
    with ORIGINAL_WORK(self) as real:
        work.replay(real, appends=False)


@contextmanager
def _state_never_saved(self: LogHost) -> Iterator[Any]:
    with ORIGINAL_WORK(self) as real:
        work = _Recorded()
        yield work
        for effect in work.appends:
            real.append(effect)
        real.cover(work.positions)
    self._held.update(work.saved)


class _Recorded:
    def __init__(self) -> None:
        self.appends: list[Any] = []
        self.saved: dict[Any, Any] = {}
        self.positions: Any = {}

    def append(self, effect: Any) -> None:
        self.appends.append(effect)

    def save(self, unit: Any, held: Any) -> None:
        self.saved[unit] = held

    def cover(self, positions: Any) -> None:
        self.positions = positions

    def replay(self, real: Any, appends: bool = True) -> None:
        for effect in self.appends if appends else ():
            real.append(effect)
        for unit, held in self.saved.items():
            real.save(unit, held)
        real.cover(self.positions)


def _read_uncommitted(self: FaultyLog, topic: str, partition: int, offset: int, limit: int) -> Any:
    return self._log.read_uncommitted(topic, partition, offset, limit)


def _no_epoch_fence(self: Coordinator, who: Any) -> Any:
    return self._names[who.name]


def _no_dedupe(self: Coordinator, who: Any, sequence: int, place: Any, **content: Any) -> None:
    ORIGINAL_APPEND(self, who, object(), place, **content)  # type: ignore[arg-type]


def _commit_retried(self: FaultyProducer) -> None:
    for _ in range(3):
        try:
            ORIGINAL_COMMIT(self)
        except Indefinite:
            continue
        except LogError:
            return  # "no transaction open": it must have been committed by the first attempt
        return
    raise Indefinite("gave up")


def _undecided_offsets(self: MemoryGroups, group: str, topic: str, partition: int) -> int | None:
    return self._coordinator.committed.get((group, (topic, partition)))


def _swallowing_step(self: Worker) -> bool:
    try:
        return ORIGINAL_STEP(self)
    except Unsettled:
        raise
    except Indefinite:
        self._positions = {place: self._log.end_offset(*place) for place in self._positions}
        self._host._producer = self._log.producer(self._host._transactional)  # type: ignore[attr-defined]
        return True


def _drops_the_last(self: Worker, place: Any) -> bool:
    before = self._positions[place]
    moved = ORIGINAL_TAKE(self, place)
    if self._positions[place] - before > 1:
        self._positions[place] += 1
    return moved


ORIGINAL_WORK = LogHost.work
ORIGINAL_APPEND = Coordinator.append
ORIGINAL_COMMIT = FaultyProducer.commit
ORIGINAL_STEP = Worker.step
ORIGINAL_TAKE = Worker.take
EXACTLY = ("exactly-once", "state-is-fold")

MUTANTS = (
    Mutant("offsets committed before the outputs", LogHost, "work", _offsets_before_outputs, EXACTLY),
    Mutant("state and offsets saved after the transaction", LogHost, "work", _state_after_the_transaction, EXACTLY),
    Mutant("state not saved with the offsets", LogHost, "work", _state_never_saved, EXACTLY),
    Mutant("reads what is not committed", FaultyLog, "read", _read_uncommitted, EXACTLY),
    Mutant("covered inputs are handled again", Held, "covers", lambda *_: False, EXACTLY),
    Mutant("old generations may commit", MemoryGroups, "check", lambda *_: None, EXACTLY),
    Mutant(
        "neither old producers nor old generations are fenced",
        *(Coordinator, "_checked", _no_epoch_fence, EXACTLY),
        also=((MemoryGroups, "check", lambda *_: None),),
    ),
    Mutant("repeated requests are written twice", Coordinator, "append", _no_dedupe, EXACTLY),
    Mutant(
        "states and offsets are read while in doubt",
        *(MemoryGroups, "committed", _undecided_offsets, EXACTLY),
        also=((MemoryLog, "settled", lambda *_: True),),
    ),
    Mutant("open transactions never time out", Coordinator, "expire", lambda _: None, ("liveness",)),
    Mutant("an error is swallowed", Worker, "step", _swallowing_step, EXACTLY),
    Mutant("a batch loses a message", Worker, "take", _drops_the_last, EXACTLY),
)
