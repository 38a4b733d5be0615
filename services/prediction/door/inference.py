"""One inference: a question in, the champion's answer out, and the rows left for ingestion. Runs in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
import orjson

from services.prediction.door.offers import LARGEST
from services.prediction.door.questions import Question, question_of
from services.prediction.door.served import Champion
from services.prediction.door.tensors import Values
from shared.access.problems import Problem
from shared.domain.contract import Contract
from shared.domain.models import Model
from shared.domain.rows import ID, SCORE
from shared.events.base import derive_id

PREDICTION = "prediction"
KEY = "idempotency-key"


class Offer(Protocol):
    """Leaves rows at ingestion's door in the log, without waiting for it."""

    def __call__(self, pipeline: str, rows: bytes, headers: dict[str, str]) -> bool:
        """Whether the rows are on their way."""


@dataclass(frozen=True, slots=True)
class Output:
    """One tensor of the answer."""

    name: str
    datatype: str
    data: Any

    def document(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": [len(self.data)], "data": self.data}


def infer(body: bytes, champion: Champion, given_key: str, offer: Offer) -> bytes:
    """The answer's JSON. Raises `Problem`.

    ``given_key``: what the caller says makes two attempts one, or "".
    """
    if champion.model is None:
        raise no_champion(champion.pipeline.name)
    contract = champion.pipeline.contract
    question = question_of(body, contract)
    outputs = _scored(champion.model, question)
    names_rows = question.log and contract.record_id is None
    wanted = _wanted([*outputs, *([ID] if names_rows else [])], question)
    logged = False
    if question.log:
        ids, logged = _left(champion.pipeline.name, _key(given_key, question, body), question, offer)
        outputs |= {ID: Output(ID, "BYTES", ids)} if names_rows else {}
    answer = {
        "model_name": champion.pipeline.name,
        "model_version": champion.version,
        **({"id": question.id} if question.id is not None else {}),
        "parameters": {"logged": logged},
        "outputs": [outputs[name].document() for name in wanted],
    }
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def no_champion(pipeline: str) -> Problem:
    detail = f"pipeline {pipeline!r} is still collecting labelled rows for its first model; try again later"
    return Problem(503, "no-champion", detail, headers={"Retry-After": "60"})


def output_names(contract: Contract) -> dict[str, str]:
    """Outputs and their datatypes, as metadata tells them."""
    scored = {PREDICTION: "FP64"} if contract.label.task == "regression" else {PREDICTION: "BYTES", SCORE: "FP64"}
    return scored | ({} if contract.record_id else {ID: "BYTES"})


def _scored(model: Model, question: Question) -> dict[str, Output]:
    try:
        predicted, score = model.predict(question.batch)
    except ValueError:
        gaps = [name for name in question.batch.schema.names if question.batch.column(name).null_count]
        detail = f"the champion can't score these rows; tensors with missing values: {', '.join(gaps) or 'none'}"
        raise Problem(422, "not-scorable", detail) from None
    if model.task == "regression":
        return {PREDICTION: Output(PREDICTION, "FP64", predicted.to_numpy())}
    outputs = {PREDICTION: Output(PREDICTION, "BYTES", predicted.to_pylist())}
    return outputs if np.isnan(score).all() else outputs | {SCORE: Output(SCORE, "FP64", score)}


def _wanted(names: list[str], question: Question) -> Sequence[str]:
    if question.outputs is None:
        return names
    unknown = [name[:64] for name in question.outputs if name not in names]
    if unknown:
        detail = f"there is no output {', '.join(map(repr, unknown))}; there are {', '.join(names)}"
        raise Problem(400, "wrong-outputs", detail)
    return question.outputs


def _key(given: str, question: Question, body: bytes) -> str:
    """Clients reuse a request's ``id`` freely, so it makes two requests one only where the body is the same too."""
    if given:
        return given
    return str(uuid4()) if question.id is None else derive_id("infer", question.id, sha256(body).hexdigest())


def _left(pipeline: str, key: str, question: Question, offer: Offer) -> tuple[list[str], bool]:
    """The ids that ingestion will give the rows, and whether all of them are on their way."""
    ids: list[str] = []
    logged = True
    for place, rows in enumerate(pieces(question.values)):
        piece = f"{key}/{place}" if place else key
        headers = {KEY: piece, "content-type": "application/json"}
        logged &= offer(pipeline, orjson.dumps(rows), headers)
        batch = derive_id("batch", pipeline, piece)
        ids += [f"{batch}:{row}" for row in range(len(next(iter(rows.values()))))]
    return ids, logged


def pieces(values: Mapping[str, Values]) -> Iterator[dict[str, Values]]:
    """Columnar JSON, cut so that each piece fits into a message, unless a single row doesn't."""
    rows = len(next(iter(values.values())))
    size = len(orjson.dumps(dict(values)))
    count = min(rows, -(-size // (LARGEST // 2))) if size > LARGEST else 1
    step = -(-rows // count)
    for start in range(0, rows, step):
        yield {name: column[start : start + step] for name, column in values.items()}
