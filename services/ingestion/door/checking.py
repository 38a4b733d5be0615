"""What is checked of pipeline files and models before anything is stored: reading them later must not fail."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from typing import Any

from services.ingestion.delivery import JSON
from services.ingestion.registry import media_type
from shared.access.problems import Problem
from shared.domain.contract import Contract
from shared.domain.estimators import EstimatorError, check_estimator
from shared.domain.models import Model, UntrustedModelError, load_model
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import PipelineFileError, canonical_bytes, parse_pipeline

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
    known = {feature.name: feature.kind.value for feature in contract.features}
    strange = [column.name for column in model.columns if known.get(column.name) != column.kind]
    if strange:
        names = ", ".join(strange)
        raise Problem(422, "model-does-not-fit", f"the contract has no such features, or of other kinds: {names}")
    named = sum(len(column.names) for column in model.columns)
    learnt = getattr(model.estimator, "n_features_in_", named)
    if learnt != named:
        detail = f"its estimator was fitted on {learnt} columns, and its features make {named} (one per category)"
        raise Problem(422, "model-does-not-fit", detail)
    if model.task == "regression":
        detail = "what counts as a whole error of a regression is known from training rows only: apply without a model"
        raise Problem(422, "model-does-not-fit", detail)
    if model.task != contract.label.task:
        detail = f"the model is for {model.task}, and the contract's label for {contract.label.task}"
        raise Problem(422, "model-does-not-fit", detail)
