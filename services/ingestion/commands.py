"""Commands on their way in: small JSON objects from outside to the events that their owners read."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError

from shared.events.commands import (
    ApplyPipeline,
    ApproveCandidate,
    ClearFault,
    Command,
    PausePipeline,
    ResumePipeline,
    RetrainModel,
    RollBack,
)
from shared.runtime.core import Request

COMMAND = "command"
"""The request's action. Its body is ``{"name": one of `COMMANDS`, "fields": {…}}``."""

COMMANDS: dict[str, type[Command]] = {
    "apply": ApplyPipeline,
    "pause": PausePipeline,
    "resume": ResumePipeline,
    "retrain": RetrainModel,
    "approve": ApproveCandidate,
    "rollback": RollBack,
    "clear-fault": ClearFault,
}
GIVEN = ("pipeline", "command")
"""Fields that the path and the request's id decide, whatever the body says."""


class InvalidCommand(ValueError):
    """No such command, or not with these fields; the message says which there are."""


def command_of(request: Request, pipeline: str) -> Command:
    """The request's id names the command, so a request that comes twice is carried out once. `InvalidCommand`."""
    name, fields = _parts(request.body)
    if name not in COMMANDS:
        raise InvalidCommand(f"there is no command {name[:40]!r}; known are {', '.join(COMMANDS)}")
    kind = COMMANDS[name]
    expected = [field for field in kind.model_fields if field not in GIVEN]
    unknown = sorted(str(field)[:40] for field in fields if field not in expected)
    if unknown:
        raise InvalidCommand(f"{name!r} takes {', '.join(expected) or 'no fields'}; unknown: {', '.join(unknown)}")
    try:
        return kind.model_validate({**fields, "pipeline": pipeline, "command": request.id})
    except ValidationError as error:
        problems = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise InvalidCommand(f"{name!r} takes {', '.join(expected)}: {problems}") from None


def _parts(body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        document = orjson.loads(body)
    except ValueError:
        raise InvalidCommand("the body is not JSON") from None
    name = document.get("name") if isinstance(document, dict) else None
    fields = document.get("fields", {}) if isinstance(document, dict) else None
    if not isinstance(name, str) or not isinstance(fields, dict):
        raise InvalidCommand("a command is a name and an object of fields")
    return name, fields
