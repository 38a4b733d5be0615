"""The files of a new project: text made from what was inferred, with comments for the person who reads it next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.domain.contract import Kind

if TYPE_CHECKING:
    from services.embedded.inference import Inferred
    from services.embedded.survey import Column, Survey
    from shared.domain.contract import Contract, Feature

SHOWN_VALUES = 5

HEAD = """\
# What Driftloop should keep right: one model, on one stream.
# `driftloop doctor` checks this file; `driftloop backtest DATA --pipeline pipeline.yaml` tries it on recorded data.
name: {name}

contract:
{roles}  features:
    # A row that breaks a rule is refused: it goes to the dead letters, with the reason. Rules that exist:
    # nullable: true | minimum, maximum (number, integer) | allowed: [a, b] (category). Leave a rule out where an odd
    # value should be noticed as drift or as a data fault rather than be thrown away row by row.
"""

TAIL = """\
  # Does the label come with the record (inline), or later under the record's id (late)?
  label: {{name: {label}, task: {task}, arrives: inline}}

estimator:  # any scikit-learn estimator, by import path
  path: {path}
  parameters: {parameters}

window: {window}  # labelled rows that make a usable model; every other length is counted in windows

# What follows are the defaults. They were measured on real streams: change them for a reason.
# seed: 0
# drift:
#   inputs:
#     epoch: 100                # rows per test step
#     false_alarm_epochs: 400   # a false alarm within n epochs has a chance of n/400 at most
#     unit: auto                # records, or blocks where rows depend on their neighbours (epoch: one day or week)
#   performance:
#     tolerance: 0.02           # rise of the loss that nobody needs to be woken for
# retraining:
#   cooldown: 0                 # labelled rows after a training in which no other starts
# promotion:
#   mode: auto                  # approve: a person confirms; suggest: nothing is promoted
#   after_drift: provisional    # serves at once, and comes back if labels say so; proven: waits for the evidence
"""

TEST = '''\
"""The sample keeps the contract, so the contract says what the data are."""

from pathlib import Path

from services.embedded.contract_check import violations
from services.ingestion.sources import read_batches
from shared.domain.estimators import check_estimator
from shared.domain.pipeline_file import read_pipeline

PROJECT = Path(__file__).parents[1]
PIPELINE = read_pipeline(PROJECT / "pipeline.yaml")


def test_every_row_of_the_sample_keeps_the_contract():
    assert violations(PIPELINE, read_batches(PROJECT / "sample.csv", 1000)) == ()


def test_the_estimator_predicts_what_the_label_is():
    check_estimator(PIPELINE.estimator, PIPELINE.contract.label.task)
'''

JOB = """\
name: driftloop
on: [push, pull_request]

jobs:
  contract:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.11"}
      - run: pip install driftloop pytest
      - run: driftloop doctor .
      - run: pytest
"""

README = """\
# {name}

Predicts `{label}` on a stream, and keeps the model right with [Driftloop](pipeline.yaml).

| to | run |
|---|---|
| check the file, the sample and this machine | `driftloop doctor .` |
| check that the sample keeps the contract | `pytest` |
| see what retraining on drift would have been worth | `driftloop backtest DATA --pipeline pipeline.yaml` |
| run it on a stream of JSON lines | `driftloop run --pipeline pipeline.yaml` |

`sample.csv` holds the first rows of the data that this project was made from.{notes}
"""


def pipeline_file(found: Inferred, seen: Survey) -> str:
    """The commented pipeline file."""
    pipeline = found.pipeline
    contract = pipeline.contract
    head = HEAD.format(name=pipeline.name, roles="".join(_roles(contract)))
    features = "".join(_feature(feature, seen.column(feature.name)) for feature in contract.features)
    left_out = "".join(f"    # {note}\n" for note in found.notes if "left out" in note)
    tail = TAIL.format(
        label=_scalar(contract.label.name),
        task=contract.label.task,
        path=pipeline.estimator.path,
        parameters=json.dumps(pipeline.estimator.parameters),
        window=pipeline.window,
    )
    return head + features + left_out + tail


def readme(found: Inferred) -> str:
    notes = "".join(f"\n* {note}" for note in found.notes)
    told = f"\n\nWhat was noticed about them:\n{notes}" if notes else ""
    return README.format(name=found.pipeline.name, label=found.pipeline.contract.label.name, notes=told)


def _roles(contract: Contract) -> Iterator[str]:
    if contract.record_id:
        yield f"  record_id: {_scalar(contract.record_id)}\n"
    if contract.event_time:
        yield f"  event_time: {_scalar(contract.event_time)}\n"


def _feature(feature: Feature, column: Column) -> str:
    nullable = ", nullable: true" if feature.nullable else ""
    return f"    - {{name: {_scalar(feature.name)}, kind: {feature.kind.value}{nullable}}}  # {_seen(column)}\n"


def _seen(column: Column) -> str:
    """What the data held, for the person who decides about ranges and allowed values."""
    nulls = f", {column.nulls:,} of {column.rows:,} empty" if column.nulls else ""
    if column.kind in (Kind.NUMBER, Kind.INTEGER):
        misfits = f", {column.misfits:,} no numbers" if column.misfits else ""
        return f"{column.minimum:g} to {column.maximum:g}{nulls}{misfits}"
    shown = [" ".join(value.split())[:20] for value in column.values.to_pylist()[:SHOWN_VALUES]]
    more = ", …" if column.distinct > SHOWN_VALUES else ""
    return f"{column.distinct:,} values: {', '.join(shown)}{more}{nulls}"


def _scalar(text: str) -> str:
    """A name as a YAML scalar within braces: JSON's quoting is YAML's too."""
    return text if text.isidentifier() and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)


_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
