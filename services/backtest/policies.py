"""Policies by name: each is the pipeline's own file with other retraining and promotion settings."""

from __future__ import annotations

from typing import Any

from shared.domain.pipeline import Pipeline

LAST_CLASS = "last-class"
FEWEST_ROWS, MOST_ROWS = 2, 10**9
"""Rows between the trainings of a schedule, which are those that each is trained on."""
KNOWN = "never, every:N, drift, last-class, detector:NAME"


class PolicyError(ValueError):
    """A policy that there is not."""


def under_policy(name: str, pipeline: Pipeline) -> Pipeline:
    """The pipeline as it would run under a policy: `never`, `every:N`, `drift` or `detector:NAME`."""
    kind, _, argument = name.partition(":")
    if name == "drift":
        return pipeline
    if name == "never":
        return _changed(pipeline, None, {})
    if kind == "every" and argument.isdecimal():
        return _every(pipeline, int(argument))
    if kind == "detector" and argument:
        return _detector(pipeline, argument)
    raise PolicyError(f"there is no policy {name!r}; known: {KNOWN}")


def _every(pipeline: Pipeline, rows: int) -> Pipeline:
    """Retrain on a schedule, on the rows since the training before."""
    if not FEWEST_ROWS <= rows <= MOST_ROWS:
        raise PolicyError(
            f"policy 'every:{rows}': N labelled rows have to train a model; give {FEWEST_ROWS} to {MOST_ROWS:,}"
        )
    return _changed(pipeline, None, {"every": rows, "last": rows})


def _detector(pipeline: Pipeline, name: str) -> Pipeline:
    """Retrain at the alarm, on the last window: what the literature's detectors are measured by."""
    from services.drift_detection.detectors import make_detector

    make_detector(name)
    settings = {"on_drift": True, "stages": (0.0,), "last": pipeline.window}
    return _changed(pipeline, name, settings)


def _changed(pipeline: Pipeline, detector: str | None, retraining: dict[str, Any]) -> Pipeline:
    off: dict[str, Any] = {
        "on_drift": False,
        "on_inputs": "watch",
        "choose_window": False,
        "check_after": None,
        "every": None,
        "half_life": None,
    }
    promotion = {"mode": "auto", "after_drift": "unconditional", "otherwise": "unconditional"}
    return pipeline.model_copy(
        update={
            "drift": pipeline.drift.model_copy(update={"detector": detector}),
            "retraining": pipeline.retraining.model_copy(update=off | retraining),
            "promotion": pipeline.promotion.model_copy(update=promotion),
        }
    )
