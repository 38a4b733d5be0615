"""What validation says: counts of what it received, and the rows it refused."""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa

from shared.domain.contract import Contract
from shared.domain.profile import Profile
from shared.domain.rows import validated_schema
from shared.events.base import Event

REASON_COLUMN = "_reason"


class ProfileTaken(Event):
    """Counts of one slice of a lane's received rows, in one epoch, against the bins of one generation.

    Slices of a lane follow on each other without a gap, so a fold applies a profile iff its ``first`` is the
    watermark that the fold has reached.
    """

    type: ClassVar[str] = "driftloop.profile.taken.v1"
    identity: ClassVar[tuple[str, ...]] = ("generation", "lane", "first")

    file: str
    baseline: str
    """Digest of the baseline whose bins were counted in."""
    profile: Profile

    @property
    def generation(self) -> int:
        return self.profile.generation

    @property
    def lane(self) -> int | None:
        return self.profile.lane

    @property
    def first(self) -> int:
        return self.profile.first


def rejected_schema(contract: Contract) -> pa.Schema:
    """Rows of a dead letter of validation: as validated, and the broken rules, ``rule:column``, joined by commas."""
    return validated_schema(contract).append(pa.field(REASON_COLUMN, pa.string()))
