"""Commands to the running system: sent through the door, answered in the ledger by whoever owns them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event as Flag
from time import monotonic
from typing import TYPE_CHECKING, Any

from services.cli import running
from services.cli.errors import UserError
from services.cli.ledger import LedgerTail, ledger_history
from services.cli.words import sentence
from services.ingestion.commands import COMMANDS
from shared.events.base import Event, derive_id
from shared.events.deployment import (
    CandidatePromoted,
    CommandRefused,
    PipelineApplied,
    PipelinePaused,
    PipelineResumed,
    PromotionRolledBack,
)
from shared.events.drift_detection import DataFaultCleared, DataFaultFound
from shared.events.training import TrainingRequested, TrainingSuppressed

if TYPE_CHECKING:
    from services.cli.client import Doors
    from shared.runtime.ports import Log

PATIENCE = 60.0
"""Seconds to wait for an answer: the owner may just be starting."""
MOMENT = 0.1
DOOR_SECONDS = 10.0
"""For the door to take a command: a person waits."""
ACCEPTED: dict[str, type[Event]] = {
    "apply": PipelineApplied,
    "pause": PipelinePaused,
    "resume": PipelineResumed,
    "retrain": TrainingRequested,
    "approve": CandidatePromoted,
    "rollback": PromotionRolledBack,
    "clear-fault": DataFaultCleared,
}
REFUSED = (CommandRefused, TrainingSuppressed)
WHOLE_ID = 36
"""Characters of an id; fewer are the beginning of one."""

Send = Callable[["Doors", "Log | None"], Mapping[str, Any]]
"""Gives a command to the door; returns what it answered, ``command`` among it. The log is there to look things up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the ledger says to a command."""

    accepted: bool
    words: str


def order(pipeline: str, name: str, fields: Mapping[str, str], *, url: str | None, wait: bool) -> bool:
    """A command without a file. Fields may be the beginning of an id where the ledger can be asked for the rest."""

    def send(doors: Doors, log: Log | None) -> Mapping[str, Any]:
        whole = fields if log is None else {field: _whole(log, pipeline, field, fields[field]) for field in fields}
        return doors.command(pipeline, name, **whole)

    return give(pipeline, name, send, url=url, wait=wait)


def give(pipeline: str, name: str, send: Send, *, url: str | None, wait: bool) -> bool:
    """Sends a command and prints the ledger's answer; whether it was accepted.

    The ledger is opened first, so that an answer can't be missed, and nothing is sent where it can't be read.
    """
    with running.opened_doors(url, seconds=DOOR_SECONDS) as doors:
        if not wait:
            told = send(doors, None)
            print(f"sent; its answer will be in the ledger under command {told['command']}")
            return True
        try:
            with running.opened_log() as log:
                tail = LedgerTail(log, pipeline, since_start=False)
                command = str(send(doors, log)["command"])
                answer = awaited(tail, pipeline, name, command, PATIENCE)
        except running.NoLog as error:
            raise UserError(f"{error}; nothing was sent. --no-wait sends without waiting for an answer") from error
    if answer is None:
        waited = f"no answer within {PATIENCE:.0f} s to command {command}"
        print(f"{waited}: 'driftloop doctor --running' says what is wrong", file=sys.stderr)
        return False
    print(answer.words)
    return answer.accepted


def awaited(tail: LedgerTail, pipeline: str, name: str, command: str, seconds: float) -> Answer | None:
    """The ledger's answer to a command; None where none came in time."""
    cause = derive_id(COMMANDS[name].type, pipeline, command)
    deadline = monotonic() + seconds
    while True:
        for event, headers in tail.fresh():
            accepted = isinstance(event, ACCEPTED[name])
            if headers.get("ce_causationid") == cause and (accepted or isinstance(event, REFUSED)):
                return Answer(accepted, sentence(event))
        if monotonic() > deadline:
            return None
        Flag().wait(MOMENT)


def _whole(log: Log, pipeline: str, field: str, given: str) -> str:
    """The id that begins so. UserError where there is none, or more than one."""
    if len(given) >= WHOLE_ID:
        return given
    past = ledger_history(log, pipeline, running.opened_blobs)
    if field == "version":
        return past.trained(given).version
    faults = {event.fault for event in past.events if isinstance(event, DataFaultFound)}
    found = [fault for fault in faults if fault.startswith(given)]
    if len(found) != 1:
        known = ", ".join(sorted(faults)) or "none"
        raise UserError(f"{field} {given!r}: {len(found)} begin so; there are {known}")
    return found[0]
