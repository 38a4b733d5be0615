"""Probes: cheap throw-away fits on the older labelled rows, scored on the newer ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from services.training.choices import PAST, PRESENT
from services.training.dataset import label_positions
from services.training.evaluation import paired, row_losses
from services.training.fitting import FitError, fit, recency_weights
from services.training.state import Known
from shared.domain.models import Model, load_model
from shared.domain.pipeline import Pipeline
from shared.events.training import ProbeCompleted, ProbeRequested
from shared.runtime.jobs import JobServices

CHEAPER = 2
"""A probe has half the trees: it never serves, but with fewer it would lose to the champion where nothing changed."""


def probe(
    request: ProbeRequested, token: int, pipeline: Pipeline, rows: pa.Table, champion: Known, services: JobServices
) -> ProbeCompleted:
    """Fits one probe per window and counts pairs on the rows from ``split_label`` on."""
    older, newer = _split(rows, request.split_label)
    label = pipeline.contract.label
    probes = {w: m for w in request.windows if (m := _fit(w, request, pipeline, older)) is not None}
    losses = {w: row_losses(model, newer, label, champion.loss_scale) for w, model in probes.items()}
    serving = row_losses(services.read(champion.model, load_model), newer, label, champion.loss_scale)
    unseen = label_positions(newer) >= champion.cut
    both = PAST in losses and PRESENT in losses
    return ProbeCompleted(
        pipeline=request.pipeline,
        job=request.job,
        token=token,
        cause=request.cause,
        against_champion={w: paired(loss[unseen], serving[unseen]) for w, loss in losses.items()},
        present_against_past=paired(losses[PRESENT], losses[PAST]) if both else None,
        fits=len(probes),
    )


def _split(rows: pa.Table, label: int) -> tuple[pa.Table, pa.Table]:
    """Rows before and from a label position; counting rows would go astray where faulty ones were left out."""
    place = int(np.searchsorted(label_positions(rows), label))
    return rows.slice(0, place), rows.slice(place)


def _fit(window: str, request: ProbeRequested, pipeline: Pipeline, older: pa.Table) -> Model | None:
    """None where the window's rows can't carry a model (one class only, or none at all)."""
    if window == PRESENT:
        _, older = _split(older, request.since_label)
    try:
        return fit(_cheaper(pipeline), older, recency_weights(older.num_rows, request.half_life), request.seed)
    except FitError:
        return None


def _cheaper(pipeline: Pipeline) -> Pipeline:
    trees = pipeline.estimator.parameters.get("n_estimators")
    if not isinstance(trees, int):
        return pipeline
    parameters = {**pipeline.estimator.parameters, "n_estimators": max(1, trees // CHEAPER)}
    return pipeline.model_copy(update={"estimator": pipeline.estimator.model_copy(update={"parameters": parameters})})
