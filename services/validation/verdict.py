"""Which rows of a batch keep the contract, and which rules the others break."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from services.validation import duplicates
from services.validation.duplicates import hashes_of, remembered, repeated
from services.validation.plan import Plan
from services.validation.registry import Mask, nobody
from shared.domain.profile import Rejects
from shared.domain.rows import ID


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that some rows break."""

    rule: str
    rows: Mask


@dataclass(frozen=True, slots=True)
class Verdict:
    """``accepted``: one boolean per row. ``recent``: the window of accepted ids after this batch."""

    accepted: Mask
    broken: tuple[Broken, ...]
    recent: bytes

    def rejects(self, first: int, last: int) -> Rejects:
        """(rule, rows that break it) among the rows [first, last) of the batch."""
        counts = ((each.rule, int(np.count_nonzero(each.rows[first:last]))) for each in self.broken)
        return tuple(sorted((rule, rows) for rule, rows in counts if rows))

    def reasons(self) -> list[str]:
        """The rules that each rejected row breaks, joined by commas."""
        rules: list[list[str]] = [[] for _ in range(len(self.accepted))]
        for each in self.broken:
            for row in np.flatnonzero(each.rows).tolist():
                rules[row].append(each.rule)
        return [",".join(names) for names in rules if names]


def all_repeated(rows: int, recent: bytes) -> Verdict:
    """Of a message that came before: none of its rows counts again."""
    return Verdict(nobody(rows), (Broken(f"{duplicates.RULE}:{ID}", ~nobody(rows)),), recent)


def judge(batch: pa.RecordBatch, plan: Plan, recent: bytes) -> Verdict:
    """Every rule on every row; ids last, so that only rows that are otherwise right are remembered."""
    accepted = np.ones(batch.num_rows, np.bool_)
    broken = []
    for rule in plan.rules:
        rows = rule.check.failed(batch.column(rule.feature.name), rule.feature)
        if rows.any():
            accepted &= ~rows
            broken.append(Broken(rule.name, rows))
    hashes = hashes_of(batch.column(ID))
    rows = repeated(hashes, recent, accepted)
    if rows.any():
        accepted &= ~rows
        broken.append(Broken(f"{duplicates.RULE}:{ID}", rows))
    return Verdict(accepted, tuple(broken), remembered(recent, hashes[accepted]))
