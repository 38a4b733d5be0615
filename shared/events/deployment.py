"""What deployment decides, and what validation and prediction use (`ServingChanged`)."""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.domain.trials import Paired
from shared.events.base import Event

Rule = Literal["bootstrap", "provisional", "proven", "approved", "unconditional"]


class PipelineApplied(Event):
    """A pipeline file took effect."""

    type: ClassVar[str] = "driftloop.pipeline.applied.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)

    command: str
    file: str


class ModelBrought(Event):
    """A model that was trained elsewhere became a version. Driftloop knows no rows that it learnt from: it has no
    baseline, and the inputs are watched from the first training on."""

    type: ClassVar[str] = "driftloop.deployment.model-brought.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)

    command: str
    version: str
    model: str


class PipelinePaused(Event):
    """No retraining until resumed; validation and prediction go on."""

    type: ClassVar[str] = "driftloop.pipeline.paused.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)

    command: str


class PipelineResumed(Event):
    """Retraining may go on."""

    type: ClassVar[str] = "driftloop.pipeline.resumed.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)

    command: str


class CommandRefused(Event):
    """A command that its owner did not carry out, and why."""

    type: ClassVar[str] = "driftloop.command.refused.v1"
    identity: ClassVar[tuple[str, ...]] = ("command",)

    command: str
    reason: str


class ApprovalAwaited(Event):
    """The gate passed; a person decides. The approval is good for this version and once."""

    type: ClassVar[str] = "driftloop.deployment.awaiting-approval.v1"
    identity: ClassVar[tuple[str, ...]] = ("version",)

    version: str
    job: str
    cause: str
    reasons: tuple[str, ...]


class TrialPended(Event):
    """Too few labelled rows to judge: decided when more have matured."""

    type: ClassVar[str] = "driftloop.deployment.trial-pending.v1"
    identity: ClassVar[tuple[str, ...]] = ("version",)

    version: str
    job: str
    cause: str
    champion: str
    since_label: int
    until_label: int


class CandidatePromoted(Event):
    """The first one in ledger order with the right ``expected_version`` wins; everyone folds to the same champion."""

    type: ClassVar[str] = "driftloop.deployment.promoted.v1"
    identity: ClassVar[tuple[str, ...]] = ("job",)

    job: str
    cause: str
    version: str
    expected_version: str | None
    rule: Rule
    reasons: tuple[str, ...]
    trial: Paired | None = None
    generation: int
    row: int
    label: int


class CandidateRejected(Event):
    """A refusal with its reasons."""

    type: ClassVar[str] = "driftloop.deployment.rejected.v1"
    identity: ClassVar[tuple[str, ...]] = ("job",)

    job: str
    cause: str
    version: str
    reasons: tuple[str, ...]
    trial: Paired | None = None
    row: int
    label: int


class PromotionVerified(Event):
    """The old champion, scored on the same later rows, did not turn out better."""

    type: ClassVar[str] = "driftloop.deployment.verified.v1"
    identity: ClassVar[tuple[str, ...]] = ("version",)

    version: str
    over: str
    cause: str
    trial: Paired
    row: int
    label: int


class PromotionRolledBack(Event):
    """The old champion was clearly better on the same later rows, or a person asked for it."""

    type: ClassVar[str] = "driftloop.deployment.rolled-back.v1"
    identity: ClassVar[tuple[str, ...]] = ("version", "to")

    version: str
    to: str
    cause: str
    reason: str
    trial: Paired | None = None
    generation: int
    row: int
    label: int


class EpisodeClosed(Event):
    """The end of an episode, with a number: loss won back per labelled row against the old champion.

    ``unverified``: promoted as the policy says, and compared with nothing, so that the number is 0 and says nothing.
    ``harmless``: the inputs moved, and no fresh model would have done better. ``refused``: a candidate or its training
    was stopped. ``superseded``: a later promotion came before the verdict.
    """

    type: ClassVar[str] = "driftloop.deployment.episode-closed.v1"
    identity: ClassVar[tuple[str, ...]] = ("episode",)

    episode: str
    outcome: Literal["verified", "unverified", "rolled-back", "superseded", "harmless", "refused", "failed"]
    gain: float
    version: str | None
    row: int
    label: int


class ServingChanged(Event):
    """The value on ``serving``: all that validation and prediction need to know about a pipeline."""

    type: ClassVar[str] = "driftloop.serving.changed.v1"
    identity: ClassVar[tuple[str, ...]] = ("ledger_offset",)

    file: str
    version: str | None = None
    model: str | None = None
    baseline: str | None = None
    generation: int = 0
    loss_scale: float = 1.0
    ledger_offset: int
