"""What outsiders ask for. A command is no fact: its owner checks it and writes accepted or refused to the ledger."""

from __future__ import annotations

from typing import ClassVar

from shared.events.base import Event


class Command(Event):
    """Common to all commands: ``command`` is the sender's id; sending one twice is doing it once."""

    command: str


class ApplyPipeline(Command):
    """Use this pipeline file (its blob is stored already); ``model`` brings a champion to a pipeline without one."""

    type: ClassVar[str] = "driftloop.command.apply.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)

    file: str
    model: str | None = None


class PausePipeline(Command):
    """Stop retraining."""

    type: ClassVar[str] = "driftloop.command.pause.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)


class ResumePipeline(Command):
    """Go on retraining."""

    type: ClassVar[str] = "driftloop.command.resume.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)


class RetrainModel(Command):
    """Train a candidate now, on the rows that policy picks."""

    type: ClassVar[str] = "driftloop.command.retrain.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)


class ApproveCandidate(Command):
    """Promote the version that awaits approval."""

    type: ClassVar[str] = "driftloop.command.approve.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)

    version: str


class RollBack(Command):
    """Return to the version served before."""

    type: ClassVar[str] = "driftloop.command.roll-back.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)


class ClearFault(Command):
    """A person says that the data is right again."""

    type: ClassVar[str] = "driftloop.command.clear-fault.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)

    fault: str
