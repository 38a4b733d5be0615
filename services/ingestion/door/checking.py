"""What is checked of pipeline files and models before anything is stored: reading them later must not fail."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from services.ingestion.delivery import JSON
from services.ingestion.registry import media_type
from shared.access.problems import Problem
from shared.domain.contract import Contract, Kind
from shared.domain.design import Column
from shared.domain.estimators import EstimatorError, check_estimator, predicts
from shared.domain.models import Model, UntrustedModelError, class_texts, load_model
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import PipelineFileError, canonical_bytes, parse_pipeline
from shared.domain.rows import ARROW_TYPES, LONGEST_NAME
from shared.events.letters import without_values

DEEPEST = 64
"""Brackets within brackets. The YAML parser's time grows with the square of their number: minutes for a small file."""
BRACKETS = re.compile(r"[\[\]{}]")


def text_of(body: bytes, content_type: str) -> str:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(400, "not-utf-8", f"the file is not UTF-8 text from byte {error.start} on") from None
    return _json_as_yaml(text) if media_type(content_type) == JSON else text


def _json_as_yaml(text: str) -> str:
    """JSON that YAML's parser reads alike: without its tabs and its pairs of surrogates."""
    try:
        return json.dumps(json.loads(text, object_pairs_hook=_unique), ensure_ascii=False, indent=1)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "unreadable", f"the file is not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"key {twice!r} comes twice")
    return found


def checked_file(name: str, text: str) -> tuple[Pipeline, bytes]:
    """The pipeline and its canonical bytes. Raises `Problem` with all mistakes at once."""
    _check_depth(text)
    try:
        pipeline = parse_pipeline(text)
        check_estimator(pipeline.estimator, pipeline.contract.label.task)
    except PipelineFileError as error:
        raise _invalid(error.problems) from None
    except EstimatorError as error:
        raise _invalid((str(error),)) from None
    if pipeline.name != name:
        raise _invalid((f"the file names the pipeline {pipeline.name!r}, and the path {name!r}; make them alike",))
    return pipeline, _canonical(pipeline)


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in BRACKETS.findall(text):
        depth += 1 if bracket in "[{" else -1
        if depth > DEEPEST:
            raise _invalid((f"brackets stand in brackets, more than {DEEPEST} deep",))


def _canonical(pipeline: Pipeline) -> bytes:
    try:
        return canonical_bytes(pipeline)
    except UnicodeEncodeError:
        raise _invalid(("half of a surrogate pair stands in the text; write the character itself",)) from None


def _invalid(problems: tuple[str, ...]) -> Problem:
    more = f" (and {len(problems) - 1} more, see 'problems')" if len(problems) > 1 else ""
    return Problem(422, "invalid-pipeline-file", problems[0] + more, problems=list(problems))


def checked_model(blob: bytes, unpacked: int) -> Model:
    """Raises `Problem` for what this build would not serve. ``unpacked``: bytes that it may unpack to."""
    made = "make it with shared.domain.models.dump_model"
    try:
        size = sum(member.file_size for member in zipfile.ZipFile(io.BytesIO(blob)).infolist())
        if size > unpacked:
            raise Problem(413, "body-too-large", f"the model would unpack to {size:,} bytes; {unpacked:,} are allowed")
        return load_model(blob)
    except UntrustedModelError as error:
        raise Problem(422, "untrusted-model", str(error)) from None
    except Problem:
        raise
    except Exception as error:  # noqa: BLE001 - skops raises whatever a damaged file leads it to
        raise Problem(422, "unreadable-model", f"this is no model ({type(error).__name__}); {made}") from None


def check_fit(model: Model, contract: Contract) -> None:
    """That it answers every row of the contract with a class. Raises `Problem`: a model in service has to predict."""
    for detail in chain(_misread(model, contract), _other_task(model, contract), _unanswered(model, contract)):
        raise Problem(422, "model-does-not-fit", detail)


def _misread(model: Model, contract: Contract) -> Iterator[str]:
    known = {feature.name: feature.kind.value for feature in contract.features}
    names = [column.name for column in model.columns]
    strange = [column.name for column in model.columns if known.get(column.name) != column.kind]
    if strange:
        yield f"the contract has no such features, or of other kinds: {', '.join(strange)}"
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        yield f"it reads column {twice[0]!r} twice; name each feature once"
    named = sum(len(column.names) for column in model.columns)
    learnt = getattr(model.estimator, "n_features_in_", named)
    if learnt != named:
        yield f"its estimator was fitted on {learnt} columns, and its features make {named} (one per category)"


def _other_task(model: Model, contract: Contract) -> Iterator[str]:
    if model.task == "regression":
        yield "what counts as a whole error of a regression is known from training rows only: apply without a model"
    if model.task != contract.label.task:
        yield f"the model is for {model.task}, and the contract's label for {contract.label.task}"
    if not _classifies(model.estimator):
        yield f"its estimator is {type(model.estimator).__name__}, which is no classifier; bring a fitted classifier"


def _classifies(estimator: Any) -> bool:
    try:
        return predicts(estimator, "classification")
    except (AttributeError, TypeError, ValueError):
        return False


def _unanswered(model: Model, contract: Contract) -> Iterator[str]:
    """Found by asking it: for a row with all values, and for one whose nullable features are empty."""
    nullable = [feature.name for feature in contract.features if feature.nullable]
    fitted = "fit its estimator on a matrix of its columns, with classes that are texts, numbers or booleans"
    imputed = "fit its estimator behind a SimpleImputer, or let no feature be nullable"
    for empty, what, cure in (((), "a row", fitted), (nullable, "a row whose nullable features are empty", imputed)):
        try:
            answered, _ = model.predict(_question(model, empty))
            classes = class_texts(getattr(model.estimator, "classes_", answered))
        except Exception as error:  # noqa: BLE001 - an estimator raises whatever it likes
            yield f"it can't predict {what} ({without_values(error)}); {cure}"
            return
        yield from _no_labels(pa.concat_arrays([classes, answered]))


def _no_labels(classes: pa.Array) -> Iterator[str]:
    if classes.null_count:
        yield "one of its classes is missing (None), which no label can be; fit it without those rows"
    longest = pc.max(pc.binary_length(classes)).as_py() or 0
    if longest > LONGEST_NAME:
        yield f"one of its classes takes {longest:,} bytes, and labels {LONGEST_NAME:,} at most; name it shorter"


def _question(model: Model, empty: Collection[str]) -> pa.RecordBatch:
    columns = {
        column.name: pa.array([None if column.name in empty else _example(column)], ARROW_TYPES[Kind(column.kind)])
        for column in model.columns
    }
    return pa.RecordBatch.from_pydict(columns)


def _example(column: Column) -> str | int:
    if column.kind == Kind.CATEGORY:
        return next(iter(column.categories), "")
    return True if column.kind == Kind.BOOLEAN else 1
