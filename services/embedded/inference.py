"""A pipeline for a recorded stream that nobody has described yet: its contract, estimator and window, by inference."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from services.embedded.survey import DISTINCT_KEPT, Column, Survey
from services.ingestion.conversion import convert
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import Estimator, Pipeline
from shared.domain.rows import ARROW_TYPES

Task = Literal["classification", "regression"]

MOST_CLASSES = 20
MANY_VALUES = 1000
MANY_SHARE = 0.5
USUAL_WINDOW, LEAST_WINDOW, WINDOWS = 1000, 50, 10
FORESTS = {
    "classification": "sklearn.ensemble.RandomForestClassifier",
    "regression": "sklearn.ensemble.RandomForestRegressor",
}
ID_NAME = re.compile(r"(?i:(^|[_\W])(id|uuid|guid|key)$|^(id|uuid|guid)[_\W])|[a-z](Id|ID)$")


class InferenceError(ValueError):
    """The stream can't be made a problem of: which column is at fault, and what to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of the inference. ``strict``: a contract to keep (nulls only where nulls were seen); else one that
    refuses no record of the stream."""

    label: str
    drop: Collection[str] = ()
    strict: bool = False
    estimator: Estimator | None = None


@dataclass(frozen=True, slots=True)
class Inferred:
    """The pipeline, and what was left out and why, one sentence each."""

    pipeline: Pipeline
    notes: tuple[str, ...]


def infer(name: str, seen: Survey, wish: Wish) -> Inferred:
    """Raises `InferenceError` for an unknown column, a label that can't be one, and a stream without features."""
    label = _label(seen, wish)
    task = task_of(label)
    usable = [c for c in seen.columns if c.name != label.name and c.name not in wish.drop]
    record_id = next((c.name for c in usable if _names_records(c)), None)
    times = [c.name for c in usable if c.kind is Kind.TIMESTAMP and c.name]
    event_time = times[0] if len(times) == 1 else None
    rest = [c for c in usable if c.name not in (record_id, event_time)]
    reasons = {c.name: reason for c in rest if (reason := _unusable_name(c.name) or _no_feature(c))}
    features = tuple(_feature(c, wish.strict) for c in rest if c.name not in reasons)
    if not features:
        raise InferenceError(f"no column is left to predict {label.name!r} from: {'; '.join(_told(reasons))}")
    contract = Contract(
        features=features, label=Label(name=label.name, task=task), record_id=record_id, event_time=event_time
    )
    estimator = wish.estimator or Estimator(path=FORESTS[task], parameters={"n_estimators": 100})
    pipeline = Pipeline(name=name, contract=contract, estimator=estimator, window=window_of(seen.rows))
    mixed = [c for c in (label, *rest) if c.misfits and c.name not in reasons]
    return Inferred(pipeline, (*_roles(record_id, event_time), *_told(reasons), *_mixed(mixed)))


def _label(seen: Survey, wish: Wish) -> Column:
    """The label's column, once every name of the wish is known to be right."""
    label = _column(seen, wish.label, "label")
    if reason := _unusable_name(label.name):
        raise InferenceError(f"label {label.name!r} {reason}; rename the column")
    for dropped in wish.drop:
        _column(seen, dropped, "dropped column")
    if label.name in wish.drop:
        raise InferenceError(f"label {label.name!r} is dropped too: --drop is for columns that are no features")
    return label


def task_of(label: Column) -> Task:
    """Classification where the label is text, a truth value or one of a few whole numbers; else regression."""
    if not label.distinct:
        raise InferenceError(
            f"label {label.name!r} is empty, or no single value, in every row: name a column that holds the answer"
        )
    if label.distinct < 2:
        value = label.values[0].as_py()
        raise InferenceError(f"label {label.name!r} is {value!r} in every row: there is nothing to predict")
    if label.kind is Kind.TIMESTAMP:
        raise InferenceError(f"label {label.name!r} holds times: name a column with classes or numbers")
    if label.kind in (Kind.CATEGORY, Kind.BOOLEAN):
        return _classes(label)
    few = label.distinct <= min(MOST_CLASSES, max(2, label.rows // 10))
    return "classification" if few and _whole(label) else "regression"


def window_of(rows: int) -> int:
    """W: a thousand rows, or a tenth of a short stream."""
    return min(USUAL_WINDOW, max(LEAST_WINDOW, rows // WINDOWS))


def nearest(wrong: str, known: Collection[str]) -> str:
    """The end of an error's sentence: the likeliest name, or all of a few."""
    near = difflib.get_close_matches(wrong, known, 1, cutoff=0.5)
    folded = {name.lower(): name for name in known}
    if wrong.lower() in folded:
        near = [folded[wrong.lower()]]
    if near:
        return f"; the nearest is {near[0]!r}"
    shown = list(known)[:12]
    more = ", …" if len(known) > len(shown) else ""
    return f"; there are {', '.join(shown)}{more}" if shown else ""


def _column(seen: Survey, name: str, role: str) -> Column:
    try:
        return seen.column(name)
    except KeyError:
        raise InferenceError(f"{role} {name!r}: there is no such column{nearest(name, seen.names)}") from None


def _classes(label: Column) -> Task:
    if label.distinct > min(MANY_VALUES, max(MOST_CLASSES, label.rows // 2)):
        raise InferenceError(
            f"label {label.name!r} has {label.distinct} different values in {label.rows} rows: "
            "these are no classes; name a column with few values, or with numbers"
        )
    return "classification"


def _whole(label: Column) -> bool:
    numbers = convert(label.values, ARROW_TYPES[Kind.NUMBER]).values.drop_null().to_pylist()
    return label.kind is Kind.INTEGER or all(value.is_integer() for value in numbers)


def _names_records(column: Column) -> bool:
    text = column.kind in (Kind.CATEGORY, Kind.INTEGER) or column.misfits > 0
    return text and column.unique and bool(ID_NAME.search(column.name))


def _no_feature(column: Column) -> str:
    """Why a column is no feature; empty for one that is."""
    if column.kind is None:
        return "is empty in every row"
    if not column.distinct:
        return "holds lists or objects, not single values"
    if column.distinct == 1 and not column.nulls:
        return f"is {column.values[0].as_py()!r} in every row"
    if column.counts_rows and column.rows > 2:
        return "only counts the rows"
    if column.kind is Kind.CATEGORY and column.distinct > _most_categories(column):
        return f"is text with {column.distinct:,} or more different values, too many to learn from"
    return ""


def _unusable_name(name: str) -> str:
    """What is wrong with a column's name; empty if nothing is."""
    if not name:
        return "has no name"
    return "has a name that begins with '_', as Driftloop's own do" if name.startswith("_") else ""


def _most_categories(column: Column) -> float:
    return min(max(MANY_VALUES, MANY_SHARE * (column.rows - column.nulls)), DISTINCT_KEPT - 1)


def _feature(column: Column, strict: bool) -> Feature:
    assert column.kind is not None
    return Feature(name=column.name, kind=column.kind, nullable=bool(column.nulls) or not strict)


def _roles(record_id: str | None, event_time: str | None) -> Iterator[str]:
    if record_id:
        yield f"column {record_id!r} names the records"
    if event_time:
        yield f"column {event_time!r} is the event time, not a feature"


def _mixed(columns: list[Column]) -> Iterator[str]:
    for column in columns:
        values = column.numbers + column.others
        yield (
            f"column {column.name!r} is taken for numbers, which {column.misfits:,} of its {values:,} values "
            f"{'is' if column.misfits == 1 else 'are'} not: such records become dead letters"
        )


def _told(reasons: dict[str, str]) -> list[str]:
    return [f"column {name!r} is left out: it {reason}" for name, reason in reasons.items()]
