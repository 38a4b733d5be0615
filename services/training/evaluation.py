"""Two versions on the same labelled rows: paired counts per slice, the only thing that gates look at."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shared.domain.contract import Label
from shared.domain.dispersion import Dispersion, dispersion_of
from shared.domain.models import Model
from shared.domain.quality import MILLION, bounded_losses
from shared.domain.trials import Paired

ALL = "all"


def row_losses(model: Model, rows: pa.Table, label: Label, loss_scale: float) -> NDArray[np.int64]:
    """Each row's bounded loss in millionths; none for no rows, which estimators refuse to score."""
    if not rows.num_rows:
        return np.zeros(0, dtype=np.int64)
    predicted, _ = model.predict(rows)
    if label.task == "classification":
        wrong = pc.not_equal(predicted, rows[label.name].combine_chunks())
        return np.asarray(wrong.to_numpy(zero_copy_only=False), dtype=np.int64) * MILLION
    errors = np.abs(predicted.to_numpy() - rows[label.name].to_numpy())
    return np.asarray(bounded_losses(errors, loss_scale), dtype=np.int64)


def paired(challenger: NDArray[np.int64], champion: NDArray[np.int64]) -> Paired:
    """Counts from two loss vectors over the same rows; a tie counts for neither."""
    return Paired(
        len(challenger),
        int((challenger < champion).sum()),
        int((challenger > champion).sum()),
        int(challenger.sum()),
        int(champion.sum()),
    )


def scatter(losses: NDArray[np.int64], step: int) -> Dispersion:
    """Overdispersion of a version's losses over whole steps of rows."""
    whole = losses[: len(losses) // step * step].reshape(-1, step)
    return dispersion_of((float(total) / MILLION, step) for total in whole.sum(axis=1))


def paired_by_slice(
    challenger: NDArray[np.int64], champion: NDArray[np.int64], rows: pa.Table, features: tuple[str, ...]
) -> dict[str, Paired]:
    """All rows, and one entry per value of each named category feature (``feature=value``)."""
    result = {ALL: paired(challenger, champion)}
    for feature in features:
        for value in sorted(v for v in pc.unique(rows[feature]).to_pylist() if v is not None):
            inside = pc.fill_null(pc.equal(rows[feature], value), False).to_numpy(zero_copy_only=False)
            result[f"{feature}={value}"] = paired(challenger[inside], champion[inside])
    return result
