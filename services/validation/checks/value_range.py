"""A number is below the contract's minimum or above its maximum."""

from __future__ import annotations

import pyarrow as pa

from services.validation.registry import Check, Mask, nobody, numbers
from shared.domain.contract import Feature


def applies(feature: Feature) -> bool:
    return feature.minimum is not None or feature.maximum is not None


def failed(column: pa.Array, feature: Feature) -> Mask:
    values = numbers(column)
    outside = nobody(len(values))
    if feature.minimum is not None:
        outside |= values < feature.minimum
    if feature.maximum is not None:
        outside |= values > feature.maximum
    return outside


CHECK = Check("range", applies, failed)
