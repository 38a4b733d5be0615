"""A category is none of those that the contract allows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.validation.registry import Check, Mask
from shared.domain.contract import Feature


def failed(column: pa.Array, feature: Feature) -> Mask:
    known = pc.or_(pc.is_in(column, value_set=pa.array(feature.allowed, pa.string())), column.is_null())
    return ~np.asarray(known.to_numpy(zero_copy_only=False))


CHECK = Check("allowed", lambda feature: feature.allowed is not None, failed)
