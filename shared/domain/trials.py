"""Paired counts: two versions scored on the same labelled rows, and the evidence in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

WIN_SHARES = (0.55, 0.6, 0.65, 0.7, 0.8, 0.9)
"""Alternatives: how often the better version is right where exactly one of the two is."""


@dataclass(frozen=True, slots=True)
class Paired:
    """A challenger against the champion on ``n`` rows of one slice.

    ``wins``: only the challenger was right (regression: closer); ``losses``: only the champion. The two mean losses
    are sums in millionths, as in `shared.domain.quality`.
    """

    n: int = 0
    wins: int = 0
    losses: int = 0
    challenger_loss: int = 0
    champion_loss: int = 0

    def __add__(self, other: Paired) -> Paired:
        return Paired(
            self.n + other.n,
            self.wins + other.wins,
            self.losses + other.losses,
            self.challenger_loss + other.challenger_loss,
            self.champion_loss + other.champion_loss,
        )

    def swapped(self) -> Paired:
        """The same rows seen from the champion's side."""
        return Paired(self.n, self.losses, self.wins, self.champion_loss, self.challenger_loss)


def log_evidence(wins: float, losses: float) -> float:
    """Natural log of an e-value against "not better": the mean over q of (2q)^wins (2(1-q))^losses.

    Under the null a discordant pair is a win with chance at most 1/2 given the past, so this is a non-negative
    supermartingale starting at 1 and by Ville's inequality it ever reaches 20 with chance at most 1/20: it may be
    looked at after every row (Ville 1939; Ramdas et al., "Game-theoretic statistics", 2023). Counts divided by an
    overdispersion need not be whole; with them the bound is calibrated, not proven.
    """
    terms = [wins * math.log(2 * q) + losses * math.log(2 * (1 - q)) for q in WIN_SHARES]
    top = max(terms)
    return top + math.log(sum(math.exp(term - top) for term in terms) / len(terms))
