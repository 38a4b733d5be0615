"""The pipeline file: one model problem on one stream, as data. Its digest is its version."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from shared.domain.contract import Contract, Strict

MOST = 1_000_000_000
"""What any count in the file may be: far more than is ever waited for, and far from where 64 bits end."""
LARGEST_WINDOW = 10_000_000
"""Rows of one model: a training holds several times as many."""
Rows = Annotated[int, Field(le=MOST)]
Windows = Annotated[float, Field(le=1_000_000)]
"""A length in units of W; times the largest W it is still a number of rows that 64 bits hold."""
LARGEST_SEED = 2**32 - 1
"""What scikit-learn takes for a ``random_state``."""


class Estimator(Strict):
    """A scikit-learn estimator or pipeline by import path, with its parameters."""

    path: str = Field("sklearn.ensemble.RandomForestClassifier", description="Import path within the allow-list.")
    parameters: dict[str, Any] = Field(default_factory=dict)


class FaultPolicy(Strict):
    """When an epoch is broken data rather than drift. Faults block retraining until cleared."""

    null_rise: float = Field(0.2, gt=0, le=1, description="Rise of a column's null share that is a fault.")
    reject_share: float = Field(0.3, gt=0, le=1, description="Share of rejected rows that is a surge.")
    unit_change_share: float = Field(0.8, gt=0, le=1, description="Share of values whose decimal exponent moved alike.")
    clean_epochs: int = Field(2, ge=1, le=MOST, description="Clean epochs in a row that clear a fault.")
    swap_blocks: bool = Field(False, description="Whether a suspected column swap blocks retraining.")


class InputDriftPolicy(Strict):
    """The sequential count test on inputs and its false-alarm promise."""

    unit: Literal["auto", "records", "blocks"] = Field(
        "auto", description="What is exchangeable: rows, or whole blocks."
    )
    epoch: Rows = Field(100, ge=10, description="Rows per epoch (the block's length where the unit is blocks).")
    false_alarm_epochs: int = Field(
        400, ge=2, le=MOST, description="A: a false alarm within n epochs has chance n/A at most."
    )
    minimum_effect: float = Field(
        0.1, ge=0, le=1, description="Total-variation distance below which evidence stays silent."
    )


class PerformanceDriftPolicy(Strict):
    """The sequential test on labelled losses of the version in service."""

    false_alarm_labels: int = Field(10_000, ge=100, le=MOST, description="Labels between false alarms, at least.")
    tolerance: float = Field(0.02, ge=0, lt=1, description="Rise of the loss that nobody needs to be woken for.")
    objective: float | None = Field(None, description="Absolute loss that must not be exceeded, whatever the baseline.")


class DriftPolicy(Strict):
    """What counts as drift."""

    faults: FaultPolicy = FaultPolicy()
    inputs: InputDriftPolicy = InputDriftPolicy()
    performance: PerformanceDriftPolicy = PerformanceDriftPolicy()
    detector: str | None = Field(
        None, description="A plug-in detector to alarm instead (outside the false-alarm promise)."
    )


@dataclass(frozen=True, slots=True)
class Steps:
    """A lane's labelled rows cut into slices: one of ``first`` rows (the first training's), then ``size`` rows each."""

    first: Rows
    size: Rows

    def end(self, position: int) -> int:
        """End (exclusive) of the step that holds this labelled position."""
        if position < self.first:
            return self.first
        return self.first + ((position - self.first) // self.size + 1) * self.size

    def number(self, position: int) -> int:
        """Which step holds this labelled position, from 0."""
        return 0 if position < self.first else (position - self.first) // self.size + 1


class Budget(Strict):
    """At most so many trainings per so many labelled rows."""

    trainings: int = Field(ge=1, le=MOST)
    labels: Rows = Field(ge=1)


class RetrainingPolicy(Strict):
    """When a candidate is trained, and on which rows. Lengths are in units of the pipeline's window W."""

    on_drift: bool = Field(True, description="Answer a detected performance drift.")
    on_inputs: Literal["check", "watch"] = Field(
        "watch", description="Record input drift, or also bring the next check forward."
    )
    stages: tuple[Windows, ...] = Field(
        (0.2,), description="Windows of labelled rows after the change before each training."
    )
    choose_window: bool = Field(True, description="Let probes choose between past-and-present and present-only.")
    check_after: Windows | None = Field(
        1.0,
        gt=0,
        description="Windows after a training until probes try a fresh one: sooner if the rows since a change double.",
    )
    check_again: Windows = Field(1.0, gt=0, description="Windows until the next check after one that found no gain.")
    every: Rows | None = Field(None, ge=1, description="Train every so many labelled rows, whatever the data say.")
    schedule_hours: float | None = Field(
        None, gt=0, le=1_000_000, description="Train every so many hours of event time."
    )
    growth: float | None = Field(
        None,
        gt=1,
        le=MOST,
        description="Train once the labelled rows have grown by this factor since the last training.",
    )
    last: Rows | None = Field(None, ge=2, description="Train on the last so many labelled rows alone.")
    half_life: Windows | None = Field(1.5, ge=0.05, description="Windows after which a row counts half.")
    memory: Windows = Field(9.0, ge=1, description="Windows of labelled rows that a training looks back at most.")
    minimum_labels: int = Field(
        20, ge=2, le=LARGEST_WINDOW, description="Labelled rows below which nothing is trained."
    )
    cooldown: Rows = Field(0, ge=0, description="Labelled rows after a training in which no other starts.")
    budget: Budget | None = None

    @field_validator("stages")
    @classmethod
    def _stages_follow_on_each_other(cls, stages: tuple[float, ...]) -> tuple[float, ...]:
        if not stages:
            raise ValueError("is empty: name one stage at least, or set 'on_drift: false'")
        if stages[0] < 0 or any(later <= earlier for earlier, later in pairwise(stages)):
            raise ValueError("has to be rising numbers from 0 on: windows after the change, the nearest first")
        return stages


class PromotionPolicy(Strict):
    """Who serves. ``odds`` is the evidence for one version over the other that decides."""

    mode: Literal["auto", "suggest", "approve"] = Field(
        "auto", description="auto: the gate decides; approve: a person confirms; suggest: nothing is promoted."
    )
    after_drift: Literal["provisional", "proven", "unconditional"] = "provisional"
    otherwise: Literal["provisional", "proven", "unconditional"] = "provisional"
    odds: float = Field(20.0, gt=1)
    watch: Windows = Field(1.0, gt=0, description="Windows of labels in which the old champion may come back.")
    slices: tuple[str, ...] = Field((), description="Category features whose values must not get worse.")
    slice_tolerance: float = Field(0.05, ge=0, le=1)


class Pipeline(Strict):
    """The whole file."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    contract: Contract
    estimator: Estimator = Estimator()
    window: int = Field(
        1000,
        ge=20,
        le=LARGEST_WINDOW,
        description="W: labelled rows that make a usable model. Other policies are in units of it.",
    )
    lanes: int = Field(1, ge=1, le=64)
    label_wait: Rows = Field(
        100_000,
        ge=1,
        description="Received rows after which a row without a label is given up; sooner where more than 11 MiB wait.",
    )
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    drift: DriftPolicy = DriftPolicy()
    retraining: RetrainingPolicy = RetrainingPolicy()
    promotion: PromotionPolicy = PromotionPolicy()

    @field_validator("promotion")
    @classmethod
    def _slices_are_features(cls, promotion: PromotionPolicy, info: ValidationInfo) -> PromotionPolicy:
        contract = info.data.get("contract")
        known = [feature.name for feature in contract.features] if contract else list(promotion.slices)
        unknown = [name for name in promotion.slices if name not in known]
        if unknown:
            raise ValueError(f"slices names {unknown[0]!r}, which is no feature; there are {', '.join(known)}")
        return promotion

    @property
    def steps(self) -> Steps:
        """Each lane's slices of labelled rows: the pace of everything that learns from labels."""
        return Steps(self.window // self.lanes, max(1, self.window // 40 // self.lanes))
