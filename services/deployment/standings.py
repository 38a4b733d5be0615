"""How pipelines stand, told to the read model as states change. It is a cache: what it loses is told again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from services.deployment.state import DeploymentState, Trial

Put = Callable[[str, int, dict[str, Any]], bool]
"""(pipeline, ledger offset, document) -> whether the read model took it or knew better; False where it is down."""

REFRESH = 30_000
"""Milliseconds after which everything is told again: somebody may have emptied the read model."""


class Standings:
    """``states``: pipeline -> (ledger offset, state), as they are. ``now`` in milliseconds."""

    def __init__(
        self, states: Callable[[], Mapping[str, tuple[int, DeploymentState]]], put: Put, now: Callable[[], int]
    ) -> None:
        self._states = states
        self._put = put
        self._now = now
        self._told: dict[str, int] = {}
        self._due = 0

    def turn(self) -> bool:
        """Tells what has changed; never anything that the loop would have to hurry for."""
        if self._now() >= self._due:
            self._due = self._now() + REFRESH
            self._told.clear()
        for pipeline, (offset, state) in self._states().items():
            if self._told.get(pipeline) != offset and self._put(pipeline, offset, document(state)):
                self._told[pipeline] = offset
        return False


def document(state: DeploymentState) -> dict[str, Any]:
    """What somebody on duty asks first."""
    champion = state.champion
    return {
        "file": state.file,
        "champion": champion and {"version": champion.id, "cause": champion.cause, "trigger": champion.trigger},
        "generation": state.generation,
        "previous": state.retired and state.retired.id,
        "on_trial": state.trial and _pair(state.trial),
        "being_verified": state.watch and _pair(state.watch),
        "waits_for_approval": state.awaiting,
        "open_episodes": [episode.id for episode in state.episodes],
        "open_faults": [asdict(fault) for fault in state.faults],
        "retraining_paused": state.paused,
        "open_jobs": [{"job": job.id, "kind": job.kind, "attempt": job.attempt} for job in state.jobs.open],
        "row": state.row,
        "label": state.label,
    }


def _pair(trial: Trial) -> dict[str, Any]:
    counts = trial.whole
    return {"champion": trial.champion, "challenger": trial.challenger, "until_label": trial.until, "rows": counts.n}
