"""An inference request's JSON to columns: every mistake in it named by its tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from services.prediction.door.tensors import MisfitError, Values, column
from shared.access.problems import Problem
from shared.domain.contract import Contract, Kind
from shared.domain.rows import EXACT, LONGEST_NAME

MOST_TOLD = 10


@dataclass(frozen=True, slots=True)
class Question:
    """``batch``: the features in the contract's types. ``values``: all tensors flat, as they came, to be left for
    ingestion where ``log`` says so. ``outputs``: the wanted ones, None for all."""

    id: str | None
    batch: pa.RecordBatch
    values: Mapping[str, Values]
    log: bool
    outputs: tuple[str, ...] | None


def question_of(body: bytes, contract: Contract) -> Question:
    """Raises `Problem` 400."""
    document = _document(body)
    log = _log(document)
    tensors = _tensors(document)
    kinds = tensor_kinds(contract)
    _check_names(tensors, contract, log)
    values = {name: _values(tensor, name) for name, tensor in tensors.items()}
    _check_lengths(values)
    columns = {name: _column(tensors[name], values[name], name, kinds[name]) for name in values}
    if log and contract.record_id is not None:
        _check_ids(columns[contract.record_id], values[contract.record_id], contract.record_id)
    names = [feature.name for feature in contract.features]
    batch = pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)
    return Question(_id(document), batch, values, log, _outputs(document))


def tensor_kinds(contract: Contract) -> dict[str, Kind]:
    """The tensors that may come: the features, and what else a record has but its label."""
    kinds = {feature.name: feature.kind for feature in contract.features}
    if contract.event_time is not None:
        kinds.setdefault(contract.event_time, Kind.TIMESTAMP)
    if contract.record_id is not None:
        kinds.setdefault(contract.record_id, Kind.CATEGORY)
    return kinds


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except ValueError as error:
        raise _bad("unreadable", f"the body is not JSON (byte {getattr(error, 'pos', 0)})") from None
    if not isinstance(document, dict):
        raise _bad("unreadable", "the body is no JSON object")
    return document


def _tensors(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(tensor, dict) for tensor in inputs):
        raise _bad("no-inputs", "'inputs' has to be a list of tensors: objects with name, datatype, shape and data")
    names = [tensor.get("name") for tensor in inputs]
    if not all(isinstance(name, str) for name in names):
        raise _bad("no-inputs", "every tensor needs a name")
    if len(set(names)) < len(names):
        raise _bad("tensor-twice", "two tensors have the same name")
    return dict(zip(names, inputs, strict=True))


def _check_names(tensors: Mapping[str, Any], contract: Contract, log: bool) -> None:
    needed = [feature.name for feature in contract.features]
    if log and contract.record_id is not None and contract.record_id not in needed:
        needed.append(contract.record_id)
    missing = [name for name in needed if name not in tensors]
    unknown = [name for name in tensors if name not in tensor_kinds(contract)]
    told = [f"missing: {_listed(missing)}"] if missing else []
    told += [f"unknown: {_listed(unknown)}"] if unknown else []
    if told:
        detail = f"one tensor per feature is needed, and no others; {'; '.join(told)}"
        raise _bad("wrong-tensors", detail, missing=missing, unknown=[name[:64] for name in unknown[:MOST_TOLD]])


def _values(tensor: Mapping[str, Any], name: str) -> list[Any]:
    """The data, flat. Shapes are [n] and [n, 1]; nested data is as good as flat."""
    shape, data = tensor.get("shape"), tensor.get("data")
    if not isinstance(data, list):
        raise _bad("no-data", f"tensor {name!r} has no list of data; binary tensors are not read here")
    if data and all(isinstance(row, list) and len(row) == 1 for row in data):
        data = [row[0] for row in data]
    if shape not in ([len(data)], [len(data), 1]):
        raise _bad("wrong-shape", f"tensor {name!r} has {len(data)} elements, so its shape has to be [{len(data)}]")
    return data


def _check_lengths(values: Mapping[str, Values]) -> None:
    lengths = {len(each) for each in values.values()}
    if lengths == {0} or len(lengths) > 1:
        raise _bad("wrong-shape", "all tensors need the same number of rows, one at least")


def _column(tensor: Mapping[str, Any], values: Values, name: str, kind: Kind) -> pa.Array:
    try:
        return column(values, str(tensor.get("datatype")), kind)
    except MisfitError as error:
        raise _bad("wrong-type", f"tensor {name!r}: {error}") from None


def _check_ids(ids: pa.Array, values: Values, name: str) -> None:
    """As ingestion takes them: what it would set aside must not be called logged."""
    texts = ids.cast(pa.string())
    blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(texts), ""), True)
    if pc.any(blank).as_py():
        told = f"tensor {name!r} names the records, and element {pc.index(blank, True).as_py()} is null or blank"
        raise _bad("missing-id", told)
    long = pc.greater(pc.binary_length(texts), LONGEST_NAME)
    if pc.any(long).as_py():
        told = f"element {pc.index(long, True).as_py()} of tensor {name!r} takes more than {LONGEST_NAME:,} bytes"
        raise _bad("too-long", told)
    if any(isinstance(each, float) and not (each.is_integer() and abs(each) < EXACT) for each in values):
        raise _bad("wrong-type", f"tensor {name!r} names the records and holds numbers that are not whole: send BYTES")


def _log(document: Mapping[str, Any]) -> bool:
    parameters = document.get("parameters", {})
    log = parameters.get("log", True) if isinstance(parameters, dict) else None
    if not isinstance(log, bool):
        raise _bad("wrong-parameters", "'parameters' has to be an object, and its 'log' true or false")
    return log


def _id(document: Mapping[str, Any]) -> str | None:
    given = document.get("id")
    if given is not None and not isinstance(given, str):
        raise _bad("wrong-id", "'id' has to be a string")
    return given


def _outputs(document: Mapping[str, Any]) -> tuple[str, ...] | None:
    outputs = document.get("outputs")
    if not outputs:
        return None
    if not isinstance(outputs, list) or not all(isinstance(each, dict) for each in outputs):
        raise _bad("wrong-outputs", "'outputs' has to be a list of objects with a name")
    return tuple(str(each.get("name")) for each in outputs)


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > MOST_TOLD else ""
    return ", ".join(repr(name[:64]) for name in names[:MOST_TOLD]) + more


def _bad(reason: str, detail: str, **members: Any) -> Problem:
    return Problem(400, reason, detail, **members)
