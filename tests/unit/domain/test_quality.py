"""Quality counts: whatever a model answers, its worth is a number."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from pydantic import TypeAdapter

from shared.domain.quality import Quality, bounded_losses, metrics, regression_quality

FARTHEST = sys.float_info.max


@pytest.mark.parametrize("said", [0.0, 1e160, -FARTHEST, math.inf, math.nan])
def test_an_error_that_no_float_holds_is_a_whole_error(said: float) -> None:
    quality = regression_quality([FARTHEST, 1.0], [said, 1.0], 2.0)
    assert quality.mean_loss == 0.5
    assert all(math.isfinite(value) for value in metrics(quality + quality).values())


def test_an_answer_that_is_no_number_costs_as_much_as_the_worst() -> None:
    assert bounded_losses(np.array([math.nan, 5.0, 0.5]), 1.0) == [1_000_000, 1_000_000, 500_000]


def test_sums_of_the_largest_errors_come_back_from_json_as_they_were() -> None:
    kind = TypeAdapter(Quality)
    quality = regression_quality([FARTHEST] * 3, [-FARTHEST] * 3, 1.0)
    assert kind.validate_json(kind.dump_json(quality)) == quality
