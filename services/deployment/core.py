"""Deployment: the ledger in, promotions, verifications and rollbacks out; and `serving`, which the others follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from services.deployment.decisions import decide, promote, roll_back
from services.deployment.fold import counts, fold, is_valid
from services.deployment.state import DeploymentState, Trial
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import decode_pipeline
from shared.events.base import Event
from shared.events.commands import ApplyPipeline, ApproveCandidate, Command, PausePipeline, ResumePipeline, RollBack
from shared.events.deployment import (
    CandidatePromoted,
    CommandRefused,
    EpisodeClosed,
    PipelineApplied,
    PipelinePaused,
    PipelineResumed,
    PromotionRolledBack,
    ServingChanged,
)
from shared.events.envelope import from_message, to_append
from shared.events.topics import COMMANDS, LEDGER, SERVING
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
        pipeline = read(state.file, decode_pipeline) if state.file else None
        if item.topic == COMMANDS.name:
            state, said = _once(state, answer(state, event))
            return Step(state, tuple(_append(e, item) for e in said))
        return _on_ledger(state, event, item, pipeline)


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
    names = tuple(event.event_id for event in fresh)
    return replace(state, said=(*state.said, *names)[-SAID_KEPT:]) if fresh else state, fresh


def answer(state: DeploymentState, command: Event) -> Iterator[Event]:
    """What becomes of a command that deployment owns. Others' commands are left to their owners."""
    about = {"pipeline": state.pipeline, "command": getattr(command, "command", "")}
    if isinstance(command, ApplyPipeline):
        yield PipelineApplied(**about, file=command.file)
    elif isinstance(command, PausePipeline):
        yield PipelinePaused(**about)
    elif isinstance(command, ResumePipeline):
        yield PipelineResumed(**about)
    elif isinstance(command, ApproveCandidate):
        yield from _approve(state, command)
    elif isinstance(command, RollBack):
        yield from _roll_back(state, command)


def _approve(state: DeploymentState, command: ApproveCandidate) -> Iterator[Event]:
    version = state.candidate(command.version)
    if version is None or state.awaiting != command.version:
        yield _refusal(
            state, command, f"version {command.version} does not await approval; awaiting: {state.awaiting or 'none'}"
        )
    else:
        yield from promote(state, version, "approved", (f"approved by command {command.command}",))


def _roll_back(state: DeploymentState, command: RollBack) -> Iterator[Event]:
    if state.champion is None or state.retired is None:
        yield _refusal(state, command, "there is no earlier version to return to")
    else:
        asked = Trial(state.champion.cause, state.champion.id, state.retired.id, 0)
        yield from roll_back(state, state.watch or asked, f"asked for by command {command.command}")


def _refusal(state: DeploymentState, command: Command, reason: str) -> Event:
    return CommandRefused(pipeline=state.pipeline, command=command.command, reason=reason)


def _changes_serving(before: DeploymentState, after: DeploymentState, event: Event) -> bool:
    """Not every promotion event is valid; one that lost the race changes nothing."""
    if isinstance(event, CandidatePromoted):
        return is_valid(before, event)
    if isinstance(event, PromotionRolledBack):
        return before.champion != after.champion
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
