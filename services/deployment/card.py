"""A version's model card: what the ledger says about it, in the format that model hubs read (Mitchell et al., 2019).

The front matter follows Hugging Face's model-card metadata; the license is left out, since nobody told it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from services.deployment.card_record import Record, UnknownVersionError, record_of
from services.deployment.card_sections import SECTIONS
from shared.domain.pipeline import Pipeline
from shared.domain.quality import metrics
from shared.events.base import Event

__all__ = ["UnknownVersionError", "model_card"]

HUB_METRICS = {
    "accuracy": "accuracy",
    "precision_macro": "precision",
    "recall_macro": "recall",
    "f1_macro": "f1",
    "mae": "mae",
    "rmse": "rmse",
}
"""Our metrics by the names that hubs know; the others stand in the text alone."""


def model_card(version: str, ledger: Sequence[Event], pipeline: Pipeline) -> str:
    """The card as Markdown with YAML front matter. The same events give the same text.

    ``ledger``: the pipeline's events in order; where `PerformanceCounted` events are among them, the quality in service
    is told too. Raises UnknownVersionError for a version that no training of this ledger made.
    """
    record = record_of(version, ledger)
    front = yaml.safe_dump(_front_matter(record, pipeline), sort_keys=False, allow_unicode=True)
    body = "\n\n".join("\n".join(section(record, pipeline)).strip() for section in SECTIONS)
    return f"---\n{front}---\n\n{body}\n"


def _front_matter(record: Record, pipeline: Pipeline) -> dict[str, Any]:
    task = f"tabular-{pipeline.contract.label.task}"
    matter: dict[str, Any] = {
        "library_name": "sklearn",
        "pipeline_tag": task,
        "tags": ["driftloop", "sklearn", "skops", task, pipeline.name],
    }
    known = [(HUB_METRICS[name], value) for name, value in metrics(record.quality).items() if name in HUB_METRICS]
    if not known:
        return matter
    where = "rows predicted in service" if record.served.n else "time-ordered hold-out of its training rows"
    result = {
        "task": {"type": task},
        "dataset": {"name": f"{pipeline.name}: {where}", "type": pipeline.name},
        "metrics": [{"type": name, "value": round(value, 4)} for name, value in known],
    }
    name = f"{pipeline.name} {record.made.version}"
    return matter | {"metrics": [name for name, _ in known], "model-index": [{"name": name, "results": [result]}]}
