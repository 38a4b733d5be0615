"""A number is infinite: no estimator can read it, and a sum over it is lost."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from services.validation.registry import Check, Mask, numbers
from shared.domain.contract import Feature, Kind


def failed(column: pa.Array, _: Feature) -> Mask:
    return np.asarray(np.isinf(numbers(column)))


CHECK = Check("non-finite", lambda feature: feature.kind is Kind.NUMBER, failed)
