"""How much a model leans on each feature: the loss that appears when the feature's values are shuffled.

Breiman, "Random Forests" (2001), section 10, for any model (Fisher, Rudin & Dominici, 2019).  It is measured on
training rows, so it says what the model uses and not what would help it; of two features that say the same, both can
look unimportant, because the other one stands in.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from services.training.evaluation import row_losses
from shared.domain.contract import Label
from shared.domain.models import Model
from shared.domain.quality import MILLION

NEWEST = 200
"""Rows that are shuffled: enough to rank features, and few enough not to slow a training down."""
TOGETHER = 16
"""Features whose shuffled rows are scored in one call: calls cost more than rows, and all at once would cost memory."""


def permutation_importances(model: Model, rows: pa.Table, label: Label, scale: float, seed: int) -> dict[str, float]:
    """Feature -> mean rise of the bounded loss over the newest rows, the largest first and ties by name.

    Each feature is shuffled once; ``scale`` is the loss scale of the version. Small negative rises are chance.
    """
    newest = rows.slice(max(0, rows.num_rows - NEWEST))
    if not newest.num_rows:
        return {}
    generator = np.random.default_rng(seed)
    base = row_losses(model, newest, label, scale).sum()
    rises: dict[str, int] = {}
    for first in range(0, len(model.columns), TOGETHER):
        names = [column.name for column in model.columns[first : first + TOGETHER]]
        shuffled = pa.concat_tables([_shuffled(newest, name, generator) for name in names]).combine_chunks()
        totals = row_losses(model, shuffled, label, scale).reshape(len(names), -1).sum(axis=1)
        rises.update((name, int(total - base)) for name, total in zip(names, totals, strict=True))
    whole = MILLION * newest.num_rows
    return {name: rises[name] / whole for name in sorted(rises, key=lambda name: (-rises[name], name))}


def _shuffled(rows: pa.Table, feature: str, generator: np.random.Generator) -> pa.Table:
    place = rows.column_names.index(feature)
    return rows.set_column(place, rows.schema.field(place), rows.column(place).take(generator.permutation(len(rows))))
