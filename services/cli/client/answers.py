"""What comes back from the doors, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PROBLEMS_KEPT = 20


class ClientError(Exception):
    """Something did not work; the message names the cause, the place and the cure.

    ``taken``: where it ended a `send`, how many rows of that call are in the client's keeping; the others are not.
    """

    taken = 0


class Unsendable(ClientError):
    """``rows`` hold a value that can't be written; they are out of the client's keeping, those around them are not."""

    def __init__(self, rows: Sequence[Any], cause: str) -> None:
        self.rows = rows
        super().__init__(f"{len(rows)} rows can't be sent: {cause}")


class Refused(ClientError):
    """The door said no, and would say so again. ``problem`` is its document; ``rows`` are what was not taken."""

    def __init__(self, place: str, status: int, problem: Mapping[str, Any], rows: Any = None) -> None:
        self.status = status
        self.reason = str(problem.get("reason", ""))
        self.problem = problem
        self.rows = rows
        super().__init__(f"{place}: {problem.get('detail') or f'answered {status}'} ({self.reason or status})")


class Undelivered(ClientError):
    """No door took it in time. It stays with the client: the next `flush` tries again under the same key."""

    def __init__(self, place: str, seconds: float, cause: str) -> None:
        self.cause = cause
        cure = "is the service up, and the address right? Rows given to send() are kept, and flush() tries again"
        super().__init__(f"{place}: not taken within {seconds:.0f} s, last: {cause}; {cure}")


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one delivery. ``ids`` name the accepted rows, for labels that come later."""

    batch: str
    received: int
    accepted: int
    dead: int
    ids: Sequence[str]
    problems: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Report:
        return cls(*(body[name] for name in ("batch", "received", "accepted", "dead", "ids", "problems")))


@dataclass(slots=True)
class Sent:
    """What became of everything since the last flush. Dead rows were set aside; ``problems`` are the first reasons."""

    received: int = 0
    accepted: int = 0
    dead: int = 0
    problems: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, report: Report) -> None:
        self.received += report.received
        self.accepted += report.accepted
        self.dead += report.dead
        self.problems += list(report.problems)[: PROBLEMS_KEPT - len(self.problems)]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A champion's answer. ``logged``: whether the rows are on their way into the stream, under ``ids`` where those
    are not in the data."""

    version: str
    predictions: Sequence[Any]
    scores: Sequence[float] | None
    ids: Sequence[str] | None
    logged: bool

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Prediction:
        outputs = {output["name"]: output["data"] for output in body["outputs"]}
        logged = bool(body.get("parameters", {}).get("logged"))
        return cls(body["model_version"], outputs["prediction"], outputs.get("score"), outputs.get("_id"), logged)
