"""Which rows to learn from, and whether to learn at all: pure functions of probes' paired counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from shared.domain.quality import MILLION
from shared.domain.trials import Paired, log_evidence
from shared.events.training import ProbeCompleted, Trigger, Window

PAST: Window = "past-and-present"
PRESENT: Window = "present-only"
PAYS = 1.6
"""Standard deviations of lead at which a fit is worth its cost: a mild bar, since checks come regularly and add up."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A fresh model's wins and losses against the champion, over several checks; older ones count half each time.

    One check sees half a window of labels, too few to show a small lead; a lead that persists adds up.
    """

    wins: float = 0.0
    losses: float = 0.0

    def then(self, trial: Paired) -> Lead:
        return Lead(self.wins / 2 + trial.wins, self.losses / 2 + trial.losses)

    @property
    def sigmas(self) -> float:
        """The lead in standard deviations of a fair coin's."""
        return (self.wins - self.losses) / math.sqrt(max(1.0, self.wins + self.losses))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows a fresh model should learn from, and whether training one pays.

    ``gain``: loss per row that it would win back; ``lead``: of fresh models so far.
    """

    window: Window
    pays: bool
    reason: str
    gain: float
    lead: Lead


def choose(probed: ProbeCompleted, trigger: Trigger, odds: float, before: Lead, window: Window) -> Choice:
    """``window``: what was found worth learning from before.

    A drift of the loss is answered in any case: the champion is known to be worse than it was.
    """
    window, why = _window(probed.present_against_past, odds, window)
    trial = probed.against_champion.get(window, Paired())
    gain = (trial.champion_loss - trial.challenger_loss) / (MILLION * trial.n) if trial.n else 0.0
    if not trial.n and trigger != "drift":
        return Choice(
            window, False, "there are no labelled rows yet that the champion has not learnt from", 0.0, before
        )
    lead = before.then(trial)
    if trigger != "drift" and lead.sigmas < PAYS:
        why = f"a fresh model would not pay: it wins {lead.wins:.3g}:{lead.losses:.3g}"
        return Choice(window, False, why, gain, lead)
    return Choice(window, True, why, gain, lead)


def _window(trial: Paired | None, odds: float, before: Window) -> tuple[Window, str]:
    """The other window only on evidence at the odds: the shorter one looks good early and bad when the past returns."""
    if trial is None:
        return PAST, "there is no change to forget"
    tally = f"a probe of the present alone wins {trial.wins}:{trial.losses} in {trial.n} rows"
    present, past = (log_evidence(a, b) for a, b in ((trial.wins, trial.losses), (trial.losses, trial.wins)))
    if before == PAST:
        hurts = present >= math.log(odds)
        return (PRESENT, f"the past hurts: {tally}") if hurts else (PAST, f"the past is kept: {tally}")
    helps = past >= math.log(odds)
    return (PAST, f"the past helps again: {tally}") if helps else (PRESENT, f"the past stays forgotten: {tally}")
