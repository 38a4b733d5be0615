"""Deployment: the ledger in, promotions, verifications and rollbacks out; and `serving`, which the others follow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from services.deployment.answers import answer, refusal
from services.deployment.decisions import decide
from services.deployment.fold import counts, fold, is_valid
from services.deployment.state import DeploymentState
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import decode_pipeline
from shared.events.base import Event
from shared.events.commands import Command
from shared.events.deployment import (
    CandidatePromoted,
    EpisodeClosed,
    PipelineApplied,
    PromotionRolledBack,
    ServingChanged,
)
from shared.events.envelope import from_message, to_append
from shared.events.topics import COMMANDS, LEDGER, SERVING
from shared.events.training import TrainingCompleted
from shared.runtime.core import Append, Input, Message, Read, Step, Unit

SAID_KEPT = 64

UNSERVED = ("harmless", "refused", "failed")
"""Outcomes that leave the champion as it was."""


class Deployment:
    """The core."""

    name = "deployment"
    reads = (LEDGER.name, COMMANDS.name)
    state_type: Any = DeploymentState
    per_lane = False

    def initial(self, unit: Unit) -> DeploymentState:
        return DeploymentState(unit.pipeline)

    def handle(self, state: DeploymentState, item: Input, read: Read) -> Step[DeploymentState]:
        event = from_message(item) if isinstance(item, Message) else None
        if event is None or not isinstance(item, Message):
            return Step(state)
        if isinstance(event, Command):
            state, said = _on_command(state, event, read)
            return Step(state, tuple(_append(e, item) for e in said))
        pipeline = read(state.file, decode_pipeline) if state.file else None
        return _on_ledger(state, event, item, pipeline)


def _on_command(state: DeploymentState, command: Command, read: Read) -> tuple[DeploymentState, tuple[Event, ...]]:
    """Once per command. Two may ask for the same before the ledger brings the first one's answer back."""
    asked = () if command.command in state.said else tuple(answer(state, command, read))
    if not asked:
        return state, ()
    state, fresh = _once(state, asked)
    state = _said(state, command.command)
    return state, fresh or (refusal(state, command, "an earlier command asked for the same, and it is being done"),)


def _on_ledger(
    state: DeploymentState, event: Event, message: Message, pipeline: Pipeline | None
) -> Step[DeploymentState]:
    before = state
    state = fold(state, event, message.offset, message.timestamp, pipeline)
    state, said = _once(state, decide(state, event, pipeline) if pipeline and counts(before, event) else ())
    effects = [_append(e, message) for e in said]
    if _changes_serving(before, state, event):
        state = _refused_generation(before, state, event)
        effects.append(_serving(state, message))
    return Step(state, tuple(effects))


def _once(state: DeploymentState, events: Iterable[Event]) -> tuple[DeploymentState, tuple[Event, ...]]:
    """Without what was said already: the ledger may bring more evidence before it brings back our own verdict, and
    a verdict said again with other numbers would be two facts of one name."""
    fresh = tuple(event for event in events if event.event_id not in state.said)
    return _said(state, *(event.event_id for event in fresh)), fresh


def _said(state: DeploymentState, *names: str) -> DeploymentState:
    return replace(state, said=(*state.said, *names)[-SAID_KEPT:]) if names else state


def _changes_serving(before: DeploymentState, after: DeploymentState, event: Event) -> bool:
    """Not every promotion event is valid; one that lost the race changes nothing."""
    if isinstance(event, CandidatePromoted):
        return is_valid(before, event)
    if isinstance(event, PromotionRolledBack):
        return before.champion != after.champion
    if isinstance(event, TrainingCompleted):
        return before.baseline != after.baseline
    return (isinstance(event, PipelineApplied) and before != after) or _ends_unserved(before, event)


def _ends_unserved(before: DeploymentState, event: Event) -> bool:
    """An open episode that ends without a new champion: its baseline starts anew, or it would alarm for ever."""
    known = isinstance(event, EpisodeClosed) and any(e.id == event.episode for e in before.episodes)
    return known and isinstance(event, EpisodeClosed) and event.outcome in UNSERVED and before.champion is not None


def _refused_generation(before: DeploymentState, after: DeploymentState, event: Event) -> DeploymentState:
    return replace(after, generation=after.generation + 1) if _ends_unserved(before, event) else after


def _serving(state: DeploymentState, message: Message) -> Append:
    champion = state.champion
    changed = ServingChanged(
        pipeline=state.pipeline,
        file=state.file,
        version=champion.id if champion else None,
        model=champion.model if champion else None,
        baseline=state.baseline,
        generation=state.generation,
        loss_scale=champion.loss_scale if champion else 1.0,
        ledger_offset=message.offset,
    )
    return to_append(SERVING.name, changed, message)


def _append(event: Event, cause: Message) -> Append:
    correlation = getattr(event, "cause", "") or getattr(event, "episode", "")
    return to_append(LEDGER.name, event, cause, correlation=correlation)
