"""What becomes of the commands that deployment owns: each is carried out, or refused with the reason."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from services.deployment.decisions import promote, roll_back
from services.deployment.fold import brought
from services.deployment.state import DeploymentState, Trial
from shared.domain.contract import Kind
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import decode_pipeline
from shared.events.base import Event, derive_id
from shared.events.commands import ApplyPipeline, ApproveCandidate, Command, PausePipeline, ResumePipeline, RollBack
from shared.events.deployment import CommandRefused, ModelBrought, PipelineApplied, PipelinePaused, PipelineResumed
from shared.runtime.core import Read

NUMERIC = {Kind.NUMBER, Kind.INTEGER}


def answer(state: DeploymentState, command: Command, read: Read) -> Iterator[Event]:
    """The events that carry it out, or the refusal; none for a command that others own."""
    about = {"pipeline": state.pipeline, "command": command.command}
    if isinstance(command, ApplyPipeline):
        yield from _apply(state, command, read)
    elif isinstance(command, PausePipeline):
        yield PipelinePaused(**about)
    elif isinstance(command, ResumePipeline):
        yield PipelineResumed(**about)
    elif isinstance(command, ApproveCandidate):
        yield from _approve(state, command)
    elif isinstance(command, RollBack):
        yield from _roll_back(state, command)


def refusal(state: DeploymentState, command: Command, reason: str) -> Event:
    return CommandRefused(pipeline=state.pipeline, command=command.command, reason=reason)


def _apply(state: DeploymentState, command: ApplyPipeline, read: Read) -> Iterator[Event]:
    hindrance = _unusable(state, command.file, read) or _unwanted(state, command.model, read)
    if hindrance:
        yield refusal(state, command, hindrance)
        return
    yield PipelineApplied(pipeline=state.pipeline, command=command.command, file=command.file)
    if command.model is not None:
        version = derive_id("version", command.command)
        model = ModelBrought(pipeline=state.pipeline, command=command.command, version=version, model=command.model)
        yield model
        yield from promote(state, brought(model), "bootstrap", ("a model that was brought along",))


def _unusable(state: DeploymentState, file: str, read: Read) -> str:
    """Why the file can't be in force. Doors check it before, but anyone may write commands to the topic."""
    try:
        pipeline = read(file, decode_pipeline)
    except (LookupError, ValidationError):
        return f"no pipeline file of this build is stored as {file}: send it through ingestion's door"
    if pipeline.name != state.pipeline:
        return f"the file is that of pipeline {pipeline.name!r}"
    before: Pipeline | None = read(state.file, decode_pipeline) if state.file else None
    broken = "" if before is None else next(_breaks(before, pipeline, served=state.champion is not None), "")
    return f"{broken}; apply the file under another name" if broken else ""


def _breaks(before: Pipeline, after: Pipeline, *, served: bool) -> Iterator[str]:
    """What a pipeline that has begun can't take. Features may come and go: they are missing where they aren't known."""
    if before.lanes != after.lanes:
        yield f"lanes: {before.lanes} can't become {after.lanes}: drift detection adds up the lanes' positions"
    if not served:
        return
    label, new = before.contract.label, after.contract.label
    if (label.name, label.task, label.arrives) != (new.name, new.task, new.arrives):
        wanted = f"{new.name!r} ({new.task}, {new.arrives})"
        yield f"label: {label.name!r} ({label.task}, {label.arrives}) can't become {wanted}"
    kinds = {feature.name: feature.kind for feature in before.contract.features}
    for feature in after.contract.features:
        kind = kinds.get(feature.name, feature.kind)
        if kind != feature.kind and not {kind, feature.kind} <= NUMERIC:
            yield f"feature {feature.name!r}: {kind.value} can't become {feature.kind.value} while a version reads it"


def _unwanted(state: DeploymentState, model: str | None, read: Read) -> str:
    if model is None:
        return ""
    if state.champion is not None:
        return f"version {state.champion.id} serves already: a model can be brought only before the first one serves"
    try:
        read(model, len)
    except LookupError:
        return f"no model is stored as {model}: send it through ingestion's door"
    return ""


def _approve(state: DeploymentState, command: ApproveCandidate) -> Iterator[Event]:
    version = state.candidate(command.version)
    if version is None or state.awaiting != command.version:
        yield refusal(
            state, command, f"version {command.version} does not await approval; awaiting: {state.awaiting or 'none'}"
        )
    else:
        yield from promote(state, version, "approved", (f"approved by command {command.command}",))


def _roll_back(state: DeploymentState, command: RollBack) -> Iterator[Event]:
    if state.champion is None or state.retired is None:
        yield refusal(state, command, "there is no earlier version to return to")
    else:
        asked = Trial(state.champion.cause, state.champion.id, state.retired.id, 0)
        yield from roll_back(state, state.watch or asked, f"asked for by command {command.command}")
