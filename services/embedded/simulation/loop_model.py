"""What the ledger means, told a second time: jobs, champions and episodes, apart from the cores' own folds.

Checkers compare the cores with it.  Code that both shared would hide a mistake in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.embedded.simulation.history import History, Unread
from shared.events.base import Event
from shared.events.deployment import CandidatePromoted, PromotionRolledBack
from shared.events.envelope import from_message
from shared.events.topics import LEDGER
from shared.events.training import (
    EvaluationCompleted,
    EvaluationRequested,
    JobBeat,
    JobClaimed,
    JobFailed,
    ProbeCompleted,
    ProbeRequested,
    TrainingCompleted,
    TrainingRequested,
)
from shared.runtime.core import Message

LEASE = 60_000
ATTEMPTS = 3
REQUESTS = (TrainingRequested, EvaluationRequested, ProbeRequested)
RESULTS = (TrainingCompleted, EvaluationCompleted, ProbeCompleted, JobFailed)


@dataclass(slots=True)
class Holder:
    """A job that is open: how often it was claimed, and who may finish it until when."""

    attempt: int = 0
    token: int | None = None
    alive: int = 0


@dataclass(slots=True)
class Entry:
    """One ledger message and what counted about it."""

    message: Message
    event: Event
    counts: bool = False
    """Whether it changed anything: the first of its kind, a valid claim, an accepted result, a valid promotion."""


@dataclass(slots=True)
class Ledger:
    """The ledger so far, judged entry by entry. One per run, shared by its checkers."""

    entries: list[Entry] = field(default_factory=list)
    champion: str | None = None
    """The version that serves."""
    open: dict[str, Holder] = field(default_factory=dict)
    tokens: list[tuple[int, dict[str, tuple[int, int | None]]]] = field(default_factory=list)
    """After which offset which jobs were open: job -> (attempt, token)."""
    _unread: Unread = field(default_factory=lambda: Unread(LEDGER.name))
    _closed: set[str] = field(default_factory=set)
    _candidates: set[str] = field(default_factory=set)
    _earlier: str | None = None

    def read(self, history: History) -> None:
        for message in self._unread(history):
            event = from_message(message)
            if event is not None:
                self.entries.append(Entry(message, event, self._judge(event, message)))
                jobs = {job: (holder.attempt, holder.token) for job, holder in self.open.items()}
                self.tokens.append((message.offset + 1, jobs))

    def _judge(self, event: Event, message: Message) -> bool:
        if isinstance(event, REQUESTS):
            return self._requested(event.job)
        if isinstance(event, JobClaimed):
            return self._claimed(event, message)
        if isinstance(event, JobBeat):
            return self._beats(event, message)
        if isinstance(event, RESULTS):
            return self._finished(event)
        if isinstance(event, CandidatePromoted):
            return self._promoted(event)
        return not isinstance(event, PromotionRolledBack) or self._rolled_back(event)

    def _requested(self, job: str) -> bool:
        if job in self._closed or job in self.open:
            return False
        self.open[job] = Holder()
        return True

    def _claimed(self, claim: JobClaimed, message: Message) -> bool:
        holder = self.open.get(claim.job)
        if holder is None or claim.attempt != holder.attempt + 1 or claim.attempt > ATTEMPTS:
            return False
        if holder.token is not None and message.timestamp <= holder.alive + LEASE:
            return False
        self.open[claim.job] = Holder(claim.attempt, message.offset, message.timestamp)
        return True

    def _beats(self, beat: JobBeat, message: Message) -> bool:
        holder = self.open.get(beat.job)
        if holder is None or holder.token != beat.token:
            return False
        holder.alive = message.timestamp
        return True

    def _finished(self, result: TrainingCompleted | EvaluationCompleted | ProbeCompleted | JobFailed) -> bool:
        holder = self.open.get(result.job)
        if holder is None or holder.token != result.token:
            return False
        if not isinstance(result, JobFailed) or result.final:
            del self.open[result.job]
            self._closed.add(result.job)
        if isinstance(result, TrainingCompleted):
            self._candidates.add(result.version)
        return True

    def _promoted(self, promotion: CandidatePromoted) -> bool:
        if promotion.expected_version != self.champion or promotion.version not in self._candidates:
            return False
        self._candidates.discard(promotion.version)
        self._earlier, self.champion = self.champion, promotion.version
        return True

    def _rolled_back(self, event: PromotionRolledBack) -> bool:
        if event.version != self.champion or event.to != self._earlier:
            return False
        self.champion, self._earlier = self._earlier, None
        return True


class LedgerReader:
    """A checker's place in the shared ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._next = 0

    def __call__(self, history: History) -> Iterator[Entry]:
        self._ledger.read(history)
        while self._next < len(self._ledger.entries):
            self._next += 1
            yield self._ledger.entries[self._next - 1]
