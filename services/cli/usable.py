"""What a pipeline file names has to exist, beside being well written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.domain.pipeline import Pipeline


def check_usable(pipeline: Pipeline) -> None:
    """EstimatorError, or DetectorError for a plug-in that there is not."""
    from services.drift_detection.plug_in import plug_in
    from shared.domain.estimators import check_estimator

    check_estimator(pipeline.estimator, pipeline.contract.label.task)
    plug_in(pipeline)
