"""What the runs are held against, clause by clause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from benchmarks.quality.protocol import STREAMS, Point, Run, Stream, published

DRIFT = "drift"
PAGE_HINKLEY = "detector:page-hinkley"
TOLERANCE = 0.03
WON_BACK = 0.9
LATE_COST = 0.04
SUM, FITS = 3.95, 50


@dataclass(frozen=True, slots=True)
class Mean:
    """Means over seeds of one policy on one stream."""

    kappa: float
    fits: float
    probes: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """One stream's clauses."""

    stream: Stream
    drift: Mean
    never: Mean
    every: Mean
    page_hinkley: Mean
    late_cost: float
    bar: Point
    reproduced: bool

    @property
    def at_front(self) -> bool:
        """At or above every published point that used as many fits or fewer (published with two decimals)."""
        return self.drift.kappa >= self.bar.kappa

    @property
    def won_back(self) -> float:
        """Share of the way from never retraining to the better of the two usual policies."""
        best = max(self.every.kappa, self.page_hinkley.kappa)
        return (self.drift.kappa - self.never.kappa) / (best - self.never.kappa)

    @property
    def cheap(self) -> bool:
        return self.drift.fits <= self.every.fits / 2

    @property
    def holds(self) -> bool:
        return self.at_front and self.won_back >= WON_BACK and self.cheap


def verdicts(runs: Iterable[Run]) -> list[Verdict]:
    runs = list(runs)
    return [_verdict(stream, [run for run in runs if run.stream == stream.name]) for stream in STREAMS]


def _verdict(stream: Stream, runs: list[Run]) -> Verdict:
    every = f"every:{stream.window}"
    drift, never, each, page_hinkley = (_mean(runs, policy, 0) for policy in (DRIFT, "never", every, PAGE_HINKLEY))
    points = published(stream)
    affordable = [point for point in points if point.fits <= drift.fits]
    paper = {point.method: point.kappa for point in points}
    close = [abs(never.kappa - paper["BL-st"]) <= TOLERANCE, abs(each.kappa - paper["BL-ret"]) <= TOLERANCE]
    return Verdict(
        stream,
        drift,
        never,
        each,
        page_hinkley,
        drift.kappa - _mean(runs, DRIFT, stream.window // 2).kappa,
        max(affordable, key=lambda point: point.kappa),
        all(close),
    )


def _mean(runs: list[Run], policy: str, delay: int) -> Mean:
    mine = [run for run in runs if run.policy == policy and run.delay == delay]
    return Mean(
        fmean(run.kappa for run in mine),
        fmean(run.fits for run in mine),
        fmean(run.probes for run in mine),
        fmean(run.wall_seconds for run in mine),
    )
