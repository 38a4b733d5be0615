"""The contract: which columns a stream promises, and which values they may take."""

from __future__ import annotations

from enum import StrEnum
from itertools import combinations
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """Configuration written by people: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(StrEnum):
    """The type of a column's values."""

    NUMBER = "number"
    INTEGER = "integer"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"


class Feature(Strict):
    """One column: its type, and the rules its values must keep."""

    name: str = Field(min_length=1)
    kind: Kind
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = Field(None, description="Allowed values of a category.")
    nullable: bool = False

    @model_validator(mode="after")
    def _rules_fit_the_kind(self) -> Self:
        if self.allowed is not None and self.kind is not Kind.CATEGORY:
            raise ValueError(f"feature {self.name!r}: 'allowed' goes with kind 'category', not {self.kind.value!r}")
        numeric = self.kind in (Kind.NUMBER, Kind.INTEGER)
        if (self.minimum is not None or self.maximum is not None) and not numeric:
            raise ValueError(
                f"feature {self.name!r}: a range goes with a number or an integer, not {self.kind.value!r}"
            )
        if self.allowed == ():
            raise ValueError(
                f"feature {self.name!r}: 'allowed' is empty, so no value would do; list some, or leave it out"
            )
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"feature {self.name!r}: minimum {self.minimum} is above maximum {self.maximum}")
        return self


class Label(Strict):
    """What is predicted, and how it arrives: in the record itself, or later under the record's id."""

    name: str = Field(min_length=1)
    task: Literal["classification", "regression"] = "classification"
    arrives: Literal["inline", "late"] = "inline"


class Contract(Strict):
    """A stream's promise: features, label, record id and event time."""

    features: tuple[Feature, ...] = Field(min_length=1)
    label: Label
    record_id: str | None = Field(
        None, description="Column that names a record; without it ids are made from positions."
    )
    event_time: str | None = Field(None, description="Timestamp column that blocks and cooldowns are measured in.")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [feature.name for feature in self.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"feature {twice[0]!r} is declared twice")
        roles = {"label": self.label.name, "record_id": self.record_id, "event_time": self.event_time}
        named = [
            *((f"feature {name!r}", name) for name in sorted(names)),
            *((f"{r} {n!r}", n) for r, n in roles.items()),
        ]
        reserved = [what for what, name in named if name is not None and name.startswith("_")]
        if reserved:
            raise ValueError(f"{reserved[0]}: names that begin with '_' are Driftloop's own; rename the column")
        if self.label.name in names:
            raise ValueError(f"the label {self.label.name!r} is also a feature: a model would read its own answer")
        for one, other in combinations([role for role, name in roles.items() if name is not None], 2):
            if roles[one] == roles[other]:
                raise ValueError(f"{one} and {other} are both {roles[one]!r}; a column has one of these roles at most")
        return self

    @model_validator(mode="after")
    def _kinds_go_with_their_use(self) -> Self:
        if all(feature.kind is Kind.TIMESTAMP for feature in self.features):
            raise ValueError("all features are timestamps, and no model reads the clock; add one of another kind")
        declared = [feature for feature in self.features if feature.name == self.event_time]
        if declared and declared[0].kind is not Kind.TIMESTAMP:
            raise ValueError(f"event_time {self.event_time!r} is a feature of another kind than 'timestamp'")
        return self

    def feature(self, name: str) -> Feature:
        """The feature of that name; KeyError if there is none."""
        return next(f for f in self.features if f.name == name)
