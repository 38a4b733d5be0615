"""The pipeline that a command works with: read from a file, or inferred from the data and the options given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.cli.errors import UserError
from services.cli.recorded import Recorded

if TYPE_CHECKING:
    from shared.domain.pipeline import Estimator, Pipeline


FEWEST_BLOCKS = 20
"""Blocks after which the input test in blocks begins to speak; before, a rank among them proves nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about the problem."""

    pipeline: Path | None = None
    label: str | None = None
    estimator: str | None = None
    parameters: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    initial: int | None = None
    block: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """The pipeline, and what was inferred about the data, in sentences."""

    pipeline: Pipeline
    notes: tuple[str, ...] = field(default=())


def problem(data: Recorded, options: Options) -> Problem:
    """UserError, or one of the families of `services.cli.errors`, for options that don't fit each other or the data."""
    from services.cli.usable import check_usable

    found = _from_file(options) if options.pipeline else _inferred(data, options)
    pipeline = _adjusted(found.pipeline, options)
    check_usable(pipeline)
    return Problem(pipeline, (*found.notes, *_few_blocks(pipeline, data.seen.rows)))


def as_yaml(pipeline: Pipeline) -> str:
    """The pipeline as a file, defaults left out."""
    import yaml

    document = pipeline.model_dump(mode="json", exclude_defaults=True)
    document["estimator"] = pipeline.estimator.model_dump(mode="json")
    document["window"] = pipeline.window
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def _from_file(options: Options) -> Problem:
    from shared.domain.pipeline_file import read_pipeline

    given = {"--label": options.label, "--estimator": options.estimator, "--param": options.parameters,
             "--drop": options.drop}  # fmt: skip
    for name, value in given.items():
        if value:
            raise UserError(f"{name} goes without --pipeline: with a pipeline file, write it there")
    assert options.pipeline is not None
    return Problem(read_pipeline(options.pipeline))


def _inferred(data: Recorded, options: Options) -> Problem:
    from services.embedded.inference import Wish, infer, task_of

    if options.label is None:
        raise UserError(f"which column is the label? Give --label COL, or --pipeline FILE; {_columns(data)}")
    wish = Wish(options.label, options.drop)
    found = infer(data.name, data.seen, wish)
    if options.estimator is None and not options.parameters:
        return Problem(found.pipeline, found.notes)
    task = task_of(data.seen.column(options.label))
    return Problem(found.pipeline.model_copy(update={"estimator": _estimator(options, task)}), found.notes)


def _estimator(options: Options, task: str) -> Estimator:
    from services.embedded.inference import FORESTS
    from shared.domain.pipeline import Estimator

    return Estimator(path=options.estimator or FORESTS[task], parameters=dict(_parameters(options.parameters)))


def _parameters(given: Iterable[str]) -> Iterable[tuple[str, Any]]:
    import yaml

    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name.strip():
            raise UserError(f"--param {each!r}: has to be NAME=VALUE, for example n_estimators=50")
        try:
            yield name.strip(), yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--param {each!r}: the value is not YAML; put it in quotes") from None


def _adjusted(pipeline: Pipeline, options: Options) -> Pipeline:
    changes: dict[str, Any] = {}
    if options.initial is not None:
        changes["window"] = options.initial
    if options.seed is not None:
        changes["seed"] = options.seed
    if options.block is not None:
        inputs = pipeline.drift.inputs.model_copy(update={"unit": "blocks", "epoch": options.block})
        changes["drift"] = pipeline.drift.model_copy(update={"inputs": inputs})
    return pipeline.model_copy(update=changes)


def _few_blocks(pipeline: Pipeline, rows: int) -> Iterator[str]:
    inputs = pipeline.drift.inputs
    blocks = max(0, rows - pipeline.window) // inputs.epoch
    if inputs.unit == "blocks" and blocks < FEWEST_BLOCKS:
        yield (
            f"drift of the inputs can't be told: that takes about {FEWEST_BLOCKS} blocks, and after the first "
            f"{pipeline.window:,} rows the stream has {blocks} of {inputs.epoch:,} rows; give shorter ones"
        )


def _columns(data: Recorded) -> str:
    names = data.seen.names
    return f"there are {', '.join(names[:12])}{', …' if len(names) > 12 else ''}"
