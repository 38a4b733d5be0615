"""Trials, versions and verdicts in words."""

from __future__ import annotations

from services.backtest.report.figures import odds, whole
from services.backtest.report.stories import Aftermath
from shared.domain.trials import Paired, log_evidence
from shared.events.deployment import EpisodeClosed, PromotionVerified

WINDOWS = {"past-and-present": "past and present", "present-only": "the present only", "last": "the last rows"}

SERVED = ("verified", "unverified", "rolled-back", "superseded")
"""Outcomes of episodes whose model was in service for a while."""
RULES = {
    "provisional": "on trial",
    "proven": "proven better",
    "approved": "approved by a person",
    "unconditional": "without a test, as the policy says",
    "bootstrap": "the first one",
}


def window_words(window: str) -> str:
    """The rows that a candidate learns from; a window that this build does not know stands for itself."""
    return WINDOWS.get(window, window)


def gain_words(gain: float) -> str:
    """Loss won back per labelled row, as errors (regression: bounded loss) in a thousand."""
    return f"{1000 * gain:+.1f} per 1,000 rows".replace("-", "−")


def rule_words(rule: str) -> str:
    """Why a candidate was let in; a rule that this build does not know stands for itself."""
    return RULES.get(rule, rule)


def worth_words(closed: EpisodeClosed) -> str:
    """The episode's number as the end of a sentence: what was won, or what a fresh model would have won."""
    if not closed.gain:
        return ""
    verb = "won back" if closed.gain > 0 else "lost"
    subject = "it" if closed.outcome in SERVED else "a fresh model would have"
    return f"; {subject} {verb} {abs(1000 * closed.gain):.1f} per 1,000 rows"


def short(version: str) -> str:
    """A version or id, cut where its beginning tells it apart."""
    return version if len(version) <= 14 else version[:12] + "…"


def trial_words(trial: Paired | None) -> str:
    """A trial as the end of a sentence; empty where there was none."""
    if trial is None or not trial.n:
        return ""
    pair = f"{whole(trial.wins)}:{whole(trial.losses)}"
    evidence = odds(log_evidence(trial.wins, trial.losses))
    return f"; on {whole(trial.n)} shared rows {pair} wins to losses, odds {evidence}"


def counts_words(trial: Paired) -> str:
    """Wins to losses, and how many rows both were scored on."""
    return f"{whole(trial.wins)}:{whole(trial.losses)} in {whole(trial.n)} rows"


def aftermath_words(event: Aftermath) -> str:
    """What later labels said about a promotion."""
    trial = trial_words(event.trial)
    if isinstance(event, PromotionVerified):
        return f"Verified at row {whole(event.row)} against {short(event.over)}{trial}."
    return f"Rolled back to {short(event.to)} at row {whole(event.row)}: {event.reason}{trial}."
