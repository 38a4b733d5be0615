"""Which rows to learn from, and whether to learn at all: pure functions of probes' paired counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from shared.domain.quality import MILLION
from shared.domain.trials import Paired, log_evidence
from shared.events.training import ProbeCompleted, Trigger, Window

PAST: Window = "past-and-present"
PRESENT: Window = "present-only"
SIGMAS = 1.5
"""A check is repeated every window of labels, and a fit that does not help is only a cost: a mild bar is enough."""


@dataclass(frozen=True, slots=True)
class Choice:
    """``window`` is None where no fresh model would pay; ``gain`` is its loss per row against the champion."""

    window: Window | None
    reason: str
    gain: float


def choose(probed: ProbeCompleted, trigger: Trigger, odds: float) -> Choice:
    """Forget the past only beyond doubt: old concepts return, and a model that kept them is right at once.

    A performance drift is answered in any case: the champion is known to be worse than it was.
    """
    window, why = _window(probed.present_against_past, odds)
    trial = probed.against_champion.get(window, Paired())
    gain = (trial.champion_loss - trial.challenger_loss) / (MILLION * trial.n) if trial.n else 0.0
    if trigger != "drift" and not _pays(trial):
        return Choice(None, f"a fresh model would not pay: it wins {trial.wins}:{trial.losses}", gain)
    return Choice(window, why, gain)


def _pays(trial: Paired) -> bool:
    """Whether the probe's lead is past chance: `SIGMAS` standard deviations of a fair coin's lead."""
    return trial.wins - trial.losses >= SIGMAS * math.sqrt(max(1, trial.wins + trial.losses))


def _window(trial: Paired | None, odds: float) -> tuple[Window, str]:
    if trial is None:
        return PAST, "there is no change to forget"
    tally = f"{trial.wins}:{trial.losses} in {trial.n} rows"
    if log_evidence(trial.wins, trial.losses) >= math.log(odds):
        return PRESENT, f"the past hurts: a probe without it wins {tally}"
    return PAST, f"the past is kept: a probe without it wins {tally}"
