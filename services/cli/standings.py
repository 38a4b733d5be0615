"""How pipelines of the running system stand: as the read model says, or else as the ledger does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from services.backtest.report.figures import whole
from services.cli import running
from services.cli.client.answers import Refused
from services.cli.ledger import ledger_history, pipelines
from services.cli.reading import of_pipeline
from services.cli.standing import JOBS, NO_CHAMPION, PAUSED, fault_words, listed, standing
from services.cli.words import brief
from services.deployment.core import Deployment
from services.deployment.standings import document
from services.deployment.state import DeploymentState
from shared.events.topics import LEDGER
from shared.runtime.core import Unit

if TYPE_CHECKING:
    from shared.runtime.ports import Log

READ_MODEL, LEDGER_TOPIC = "read model", "ledger"
DOOR_SECONDS = 2.0
NO_ANSWER = {"no-read-model": "the read model does not answer", "no-pipeline": "the read model does not know it yet"}
"""Refusals that the ledger may know better than."""
FAULT = ("id", "kind", "column", "first")


@dataclass(frozen=True, slots=True)
class Stand:
    """One pipeline. ``offset``: the ledger up to where this was folded; ``lines``: what a person is shown."""

    pipeline: str
    source: str
    offset: int
    document: Mapping[str, Any]
    lines: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The same fields, whoever told them."""
        return {
            "pipeline": self.pipeline,
            "source": self.source,
            "ledger_offset": self.offset,
            "standing": dict(self.document),
        }


def standings(pipeline: str | None, url: str | None) -> list[Stand]:
    """Of one pipeline, or of all. The ledger is asked where the read model has no answer.

    UserError for an unknown pipeline, and where neither can be reached.
    """
    try:
        with running.opened_doors(url, seconds=DOOR_SECONDS) as doors:
            found = [doors.standing(pipeline)] if pipeline else doors.standings()["pipelines"]
        if found:
            return [told_by_door(shown) for shown in found]
        why = "the read model is empty"
    except running.NoDoor:
        why = "the door does not answer"
    except Refused as refused:
        if refused.reason not in NO_ANSWER:
            raise
        why = NO_ANSWER[refused.reason]
    with running.opened_log() as log:
        return [told_by_ledger(log, name, why) for name in ([pipeline] if pipeline else pipelines(log))]


def told_by_door(shown: Mapping[str, Any]) -> Stand:
    """What the door showed of one pipeline."""
    name, told = shown["pipeline"], shown["standing"]
    source = f"read model, {shown['age_seconds']:.0f} s old"
    return Stand(name, READ_MODEL, shown["ledger_offset"], told, _lines(name, told) | {"told by": source})


def told_by_ledger(log: Log, name: str, why: str) -> Stand:
    """What the ledger comes to. ``why`` the read model was not asked. UserError for an unknown pipeline."""
    past = ledger_history(log, name, running.opened_blobs)
    offset, state = _folded(log, name)
    lines = standing(past.events) | {"told by": f"the ledger, to its end ({why})"}
    return Stand(name, LEDGER_TOPIC, offset, document(state), lines)


def _folded(log: Log, name: str) -> tuple[int, DeploymentState]:
    """Deployment's own fold. Without the pipeline file it decides nothing, and nothing is asked of it but a state."""
    core = Deployment()
    state, offset = core.initial(Unit(name)), 0
    for message in of_pipeline(log, LEDGER.name, name):
        state = core.handle(state, message, _nothing).state
        offset = message.offset + 1
    return offset, state


def _nothing(digest: str, decode: Callable[[bytes], Any]) -> Any:
    """No blob is opened for a look."""


def _lines(name: str, told: Mapping[str, Any]) -> dict[str, str]:
    """The document in the words that the ledger's fold uses."""
    champion = told["champion"]
    lines = {
        "pipeline": name + (PAUSED if told["retraining_paused"] else ""),
        "champion": f"{champion['version']}, generation {told['generation']}" if champion else NO_CHAMPION,
        "open episodes": listed([brief(episode) for episode in told["open_episodes"]]),
        "open faults": listed([fault_words(*(fault[of] for of in FAULT)) for fault in told["open_faults"]]),
        "unfinished jobs": listed([f"{JOBS[job['kind']]} {brief(job['job'])}" for job in told["open_jobs"]]),
    }
    for field_, words in (("on_trial", "on trial"), ("being_verified", "being verified")):
        if told[field_]:
            lines[words] = _pair(told[field_])
    if told["waits_for_approval"]:
        lines["waits for approval"] = told["waits_for_approval"]
    # Rows come to the ledger with the first event that speaks of them; until then nothing is known here.
    return lines | ({"last event": f"row {whole(told['row'])}"} if told["row"] else {})


def _pair(pair: Mapping[str, Any]) -> str:
    until = f"until labelled row {whole(pair['until_label'])}"
    return f"{brief(pair['challenger'])} against {brief(pair['champion'])}, {pair['rows']} rows compared, {until}"
