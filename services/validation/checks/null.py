"""A value is missing where the contract wants one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from services.validation.registry import Check, Mask, nobody
from shared.domain.contract import Feature


def failed(column: pa.Array, _: Feature) -> Mask:
    if not column.null_count:
        return nobody(len(column))
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False))


CHECK = Check("null", lambda feature: not feature.nullable, failed)
