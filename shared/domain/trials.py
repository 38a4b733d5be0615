"""Paired counts: two versions scored on the same labelled rows, and the evidence in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

EVEN = 0.5
LEADS = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8)
"""Alternatives: how much of the way from the null's share of wins to all of them."""


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


def log_evidence(wins: float, losses: float, share: float = EVEN) -> float:
    """Natural log of an e-value against "the challenger wins at most ``share`` of the discordant pairs".

    The mean over alternatives q of (q/share)^wins ((1-q)/(1-share))^losses.  Under the null a discordant pair is a win
    with chance at most ``share`` given the past, so this is a non-negative supermartingale starting at 1, and by
    Ville's inequality it ever reaches 20 with chance at most 1/20: it may be looked at after every row (Ville 1939;
    Ramdas et al., "Game-theoretic statistics", 2023).  Counts divided by an overdispersion need not be whole; with
    them the bound is calibrated, not proven.
    """
    terms = [
        wins * math.log(q / share) + losses * math.log((1 - q) / (1 - share))
        for q in (share + (1 - share) * lead for lead in LEADS)
    ]
    top = max(terms)
    return top + math.log(sum(math.exp(term - top) for term in terms) / len(terms))
