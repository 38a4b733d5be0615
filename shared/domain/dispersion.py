"""Overdispersion: how much more losses scatter from step to step than independent ones would.

Autocorrelated errors come in runs; a test that takes them for independent overstates its evidence by about the
factor phi, the chi-square of the steps' losses per degree of freedom (McCullagh & Nelder, "Generalized Linear
Models", 1989, section 4.5).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dispersion:
    """Pooled chi-square and degrees of freedom; adds up over versions and slices."""

    chi_square: float = 0.0
    freedom: int = 0

    def __add__(self, other: Dispersion) -> Dispersion:
        return Dispersion(self.chi_square + other.chi_square, self.freedom + other.freedom)

    @property
    def phi(self) -> float:
        """At least 1: scattering less than chance is no reason to trust evidence more."""
        return max(1.0, self.chi_square / self.freedom) if self.freedom else 1.0


def dispersion_of(steps: Iterable[tuple[float, int]]) -> Dispersion:
    """Of (summed loss, rows) per step around their common mean; empty where all losses are alike."""
    steps = tuple(steps)
    rows = sum(n for _, n in steps)
    mean = sum(k for k, _ in steps) / rows if rows else 0.0
    if not 0 < mean < 1:
        return Dispersion()
    chi_square = sum((k - n * mean) ** 2 / (n * mean * (1 - mean)) for k, n in steps)
    return Dispersion(chi_square, len(steps) - 1)
