"""The pipeline file's ways in and out: YAML from people, canonical JSON for the blob store, errors that help."""

from __future__ import annotations

import difflib
import json
import math
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.domain.digest import digest
from shared.domain.pipeline import Pipeline

Location = tuple[int | str, ...]
MERGE = "tag:yaml.org,2002:merge"
TOLD = 50
"""Problems of one file that are put into words: nobody reads more, and finding the nearest known key takes its time."""


class PipelineFileError(ValueError):
    """A pipeline file that can't be used. ``problems`` has one line each: where, what, and how to mend it."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


def read_pipeline(path: Path) -> Pipeline:
    """Loads a file; `PipelineFileError` also for one that can't be opened or isn't UTF-8."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise PipelineFileError(str(path), (f"can't be opened: {error.strerror}",)) from error
    except UnicodeDecodeError as error:
        raise PipelineFileError(str(path), (f"is not UTF-8 text (byte {error.start})",)) from error
    return parse_pipeline(text, str(path))


def parse_pipeline(text: str, source: str = "pipeline file") -> Pipeline:
    """Parses YAML. All problems come at once in one `PipelineFileError`."""
    root = _composed(text, source)
    problems = tuple(_syntax_problems(root))
    if problems:
        raise PipelineFileError(source, problems)
    try:
        return Pipeline.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        problems = tuple(f"{_place(root, item['loc'])}{_sentence(item)}" for item in error.errors()[:TOLD])
        raise PipelineFileError(source, problems) from error


def canonical_bytes(pipeline: Pipeline) -> bytes:
    """The file as sorted JSON, defaults written out: a later default can't change what a stored file means."""
    document = pipeline.model_dump(mode="json")
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def decode_pipeline(data: bytes) -> Pipeline:
    """The inverse of `canonical_bytes`; for ``read(file, decode_pipeline)``."""
    return Pipeline.model_validate_json(data)


def pipeline_digest(pipeline: Pipeline) -> str:
    """The pipeline's version: the digest of its canonical bytes."""
    return digest(canonical_bytes(pipeline))


def _composed(text: str, source: str) -> yaml.MappingNode:
    try:
        alias = _first_alias(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if alias is None:
            yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        raise PipelineFileError(source, (_yaml_sentence(error),)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PipelineFileError(source, (f"is not YAML: {' '.join(str(error).split())}",)) from error
    if alias is not None:
        raise PipelineFileError(source, (f"line {alias}: aliases ('*name') are not read; write the value out",))
    if not isinstance(root, yaml.MappingNode):
        what = "is empty; it needs at least 'name' and 'contract'"
        raise PipelineFileError(source, (what if root is None else "has to be a mapping that begins with 'name: …'",))
    return root


def _first_alias(text: str) -> int | None:
    """Line of the first alias. A few nested ones unfold to gigabytes, and one may contain itself."""
    events = yaml.parse(text, Loader=yaml.SafeLoader)
    marks = (event.start_mark for event in events if isinstance(event, yaml.AliasEvent))
    return next((mark.line + 1 for mark in marks if mark), None)


def _yaml_sentence(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    what = " ".join(part for part in (error.context, error.problem) if part)
    return f"{place}is not YAML: {what}"


def _syntax_problems(node: yaml.Node, path: Location = ()) -> Iterator[str]:
    """What YAML lets pass and a reader would never notice: a key given twice, a number that is none."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if key.tag == MERGE:
                place = f"line {key.start_mark.line + 1}: {_dotted((*path, name))}"
                yield f"{place}: merge keys are not read; write the keys out where they belong"
            elif name in seen:
                yield f"line {key.start_mark.line + 1}: {_dotted((*path, name))}: is given twice; keep one"
            seen.add(name)
            yield from _syntax_problems(value, (*path, name))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _syntax_problems(value, (*path, index))
    elif _not_finite(node):
        yield f"line {node.start_mark.line + 1}: {_dotted(path)}: has to be a finite number; leave the key out instead"


def _not_finite(node: yaml.Node) -> bool:
    return node.tag == "tag:yaml.org,2002:float" and not math.isfinite(float(yaml.safe_load(str(node.value))))


def _place(root: yaml.Node, location: Location) -> str:
    line = f"line {_line(root, location)}: " if location else ""
    return f"{line}{_dotted(location)}: " if location else line


def _line(node: yaml.Node, location: Location) -> int:
    """Line of the deepest part of the path that is in the file (a missing key is told at its parent)."""
    line = node.start_mark.line + 1
    for part in location:
        found = _child(node, part)
        if found is None:
            return line
        line, node = found
    return line


def _child(node: yaml.Node, part: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if str(key.value) == str(part):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None


def _dotted(location: Location) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.lstrip(".")


def _sentence(item: ErrorDetails) -> str:
    kind = item["type"]
    if kind == "extra_forbidden":
        return f"is no known key{_nearest(item['loc'])}"
    if kind == "missing":
        return "is missing"
    if kind == "string_type" and isinstance(item["input"], bool | int | float):
        return "has to be text; YAML reads it as a number or a yes/no, so put it in quotes"
    if kind == "value_error":
        return item["msg"].removeprefix("Value error, ")
    what = "should be a mapping" if kind == "model_type" else item["msg"].removeprefix("Input ").removeprefix("String ")
    return f"{what}; it is {_shown(item['input'])}"


def _shown(value: Any) -> str:
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    return repr(value)


def _nearest(location: Location) -> str:
    """The likeliest meaning of an unknown key: first among its siblings, then anywhere in the file's language."""
    path = [part for part in location[:-1] if isinstance(part, str)]
    wrong = str(location[-1])
    places = tuple(_known_keys(Pipeline))
    siblings = [place for place in places if [name.removesuffix("[]") for name in place[:-1]] == path]
    for candidates in (siblings, list(places)):
        near = difflib.get_close_matches(wrong, sorted({place[-1].removesuffix("[]") for place in candidates}), 1)
        if near:
            place = next(place for place in candidates if place[-1].removesuffix("[]") == near[0])
            return f"; the nearest is '{'.'.join(place).removesuffix('[]')}'"
    return f"; known here: {', '.join(place[-1].removesuffix('[]') for place in siblings)}" if siblings else ""


def _known_keys(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        many = typing.get_origin(field.annotation) in (tuple, list)
        place = (*path, f"{name}[]" if many else name)
        yield place
        for inner in _models(field.annotation):
            yield from _known_keys(inner, place)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from _models(argument)
