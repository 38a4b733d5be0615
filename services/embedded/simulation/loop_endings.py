"""What must hold in the end, when the faults are over and nothing moves any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from services.deployment.state import DeploymentState
from services.embedded.simulation.history import History
from services.embedded.simulation.loop_model import Ledger, LedgerReader
from services.training.state import TrainingState
from shared.events.base import Event
from shared.events.deployment import CandidatePromoted, CandidateRejected, EpisodeClosed, ServingChanged
from shared.events.drift_detection import DriftCleared, DriftDetected, DriftMatured
from shared.events.envelope import from_message
from shared.events.topics import (
    LEDGER,
    SERVING,
)
from shared.events.training import TrainingCompleted
from shared.runtime.advance import Held
from shared.runtime.codec import decode
from shared.runtime.core import Message

FOLDERS: dict[str, Any] = {"training": TrainingState, "deployment": DeploymentState}
"""Cores that fold the ledger, and their states."""


def stored(core: str, message: Message) -> tuple[Any, int]:
    """A stored state, and the ledger's offset up to which it has read."""
    held: Held[Any] = decode(cast(Any, Held)[FOLDERS[core]], message.value)
    return held.state, max((at for place, at in held.covered.items() if place.startswith(f"{LEDGER.name}/")), default=0)


class Decided:
    """In the end each candidate met its decision: a trained version is promoted or rejected, not forgotten."""

    name = "decided"

    def __init__(self, ledger: Ledger) -> None:
        self._entries = LedgerReader(ledger)
        self._undecided: dict[str, int] = {}

    def observe(self, history: History) -> str | None:
        for entry in self._entries(history):
            event = entry.event
            if isinstance(event, TrainingCompleted) and entry.counts:
                self._undecided[event.job] = entry.message.offset
            elif isinstance(event, CandidatePromoted | CandidateRejected):
                self._undecided.pop(event.job, None)
        return f"completed, but never decided: {self._undecided}" if history.quiet and self._undecided else None


class ChampionsAgree:
    """In the end everyone names one champion: the ledger, training, deployment, and the last word on serving."""

    name = "champions-agree"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def observe(self, history: History) -> str | None:
        if not history.quiet:
            return None
        self._ledger.read(history)
        views = {"ledger": self._ledger.champion} | dict(self._views(history))
        return None if len(set(views.values())) == 1 else f"champions: {views}"

    def _views(self, history: History) -> Iterator[tuple[str, str | None]]:
        for core in FOLDERS:
            for message in history.messages(f"snapshots.{core}"):
                champion = stored(core, message)[0].champion
                yield core, getattr(champion, "id", champion)
        for message in history.messages(SERVING.name):
            served = from_message(message)
            if isinstance(served, ServingChanged):
                yield "serving", served.version


class NothingOpen:
    """In the end no job is open: each was finished, or given up after its last attempt."""

    name = "nothing-open"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def observe(self, history: History) -> str | None:
        if not history.quiet:
            return None
        self._ledger.read(history)
        return f"jobs still open: {self._ledger.open}" if self._ledger.open else None


class EpisodesEnd:
    """A drift that was detected ends once: cleared or closed.

    In the end only those may be open whose verdict waits for labels that never came: the stream stopped too early.
    """

    name = "episodes-end"

    def __init__(self, ledger: Ledger) -> None:
        self._entries = LedgerReader(ledger)
        self._open: dict[str, str] = {}
        self._ended: dict[str, Event] = {}

    def observe(self, history: History) -> str | None:
        for entry in self._entries(history):
            event = entry.event
            if isinstance(event, DriftDetected) and event.episode not in self._ended:
                self._open.setdefault(event.episode, "detected")
            elif isinstance(event, DriftMatured) and event.final and event.episode in self._open:
                self._open[event.episode] = "matured"
            elif isinstance(event, EpisodeClosed | DriftCleared):
                self._open.pop(event.episode, None)
                self._ended.setdefault(event.episode, event)
        return self._left(history) if history.quiet and self._open else None

    def _left(self, history: History) -> str | None:
        states = {core: stored(core, m)[0] for core in FOLDERS for m in history.messages(f"snapshots.{core}")}
        deployment, training = states["deployment"], states["training"]
        trials = (trial for trial in (deployment.watch, deployment.trial) if trial is not None)
        waits = {trial.cause for trial in trials if trial.until > training.label}
        left = {
            episode: stage
            for episode, stage in self._open.items()
            if episode not in waits and not (stage == "detected" and self._young(history, episode, training.label))
        }
        return f"episodes that never ended: {left}" if left else None

    def _young(self, history: History, episode: str, label: int) -> bool:
        """Whether too few labels came after it for its stage to mature."""
        found = (from_message(message) for message in history.messages(LEDGER.name))
        since = next(e.since_label for e in found if isinstance(e, DriftDetected) and e.episode == episode)
        return label < since + WINDOW * STAGE


WINDOW, STAGE = 40, 0.25
