"""What names a record: two names are never one, nothing is no name, and the doors agree on both."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pytest

from services.ingestion.raw import ARROW_STREAM
from services.prediction.door.questions import question_of
from shared.access.problems import Problem
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import Pipeline
from shared.domain.rows import LONGEST_NAME
from tests.unit.ingestion.doors import CONTRACT, Door, row
from tests.unit.ingestion.test_limits import stream

NAMED = Pipeline(name="shop", contract=CONTRACT.model_copy(update={"record_id": "order"}))
HUGE = 123456789012345678901


def sent(ids: list[Any]) -> tuple[list[str], list[tuple[int, str]]]:
    """The ids that were taken, and rows that were not, with the reason."""
    _, answer, _ = Door(NAMED).send(json.dumps([row(order=each) for each in ids]).encode())
    return answer["ids"], [(each["row"], each["reason"]) for each in answer["problems"]]


@pytest.mark.parametrize("beside", [5, "five", 2**63 - 1])
def test_numbers_that_json_cannot_tell_apart_are_no_ids(beside: Any) -> None:
    taken, lost = sent([HUGE, HUGE + 1, 2.5, beside])
    assert (taken, lost) == ([str(beside)], [(0, "wrong-type"), (1, "wrong-type"), (2, "wrong-type")])


def test_whole_numbers_are_ids_even_where_a_gap_made_floats_of_them() -> None:
    assert sent([17.0, 2**53 - 1, 2**63 - 1]) == (["17", str(2**53 - 1), str(2**63 - 1)], [])


def test_the_cure_is_told() -> None:
    _, answer, _ = Door(NAMED).send(json.dumps(row(order=HUGE)).encode())
    assert answer["problems"][0]["message"].endswith("send ids as text")


def test_decimals_keep_all_their_digits() -> None:
    ids = pa.array([Decimal(HUGE), Decimal(HUGE + 1)], pa.decimal256(60, 0))
    _, answer, _ = Door(NAMED).send(stream(pa.table({"order": ids})), ARROW_STREAM)
    assert answer["ids"] == [str(HUGE), str(HUGE + 1)]


@pytest.mark.parametrize("dtype", [pa.float32(), pa.float64()])
def test_floats_beyond_their_digits_are_no_ids(dtype: pa.DataType) -> None:
    ids = pa.array([1.0, 2.0**60, 0.5, None]).cast(dtype)
    _, answer, _ = Door(NAMED).send(stream(pa.table({"order": ids})), ARROW_STREAM)
    assert [each["reason"] for each in answer["problems"]] == ["wrong-type", "wrong-type", "missing-id"]


def test_blank_text_names_nothing() -> None:
    assert sent(["", "  ", "a", None]) == (["a"], [(0, "missing-id"), (1, "missing-id"), (3, "missing-id")])
    _, answer, _ = Door(NAMED).send(b'order,price\n"",1\n" ",2\n,3\nb,4\n', "text/csv")
    assert (answer["ids"], answer["dead"]) == (["b"], 3)


class TestScoring:
    """Scored rows go on to ingestion: what it would set aside must not be called logged."""

    CONTRACT = Contract(features=(Feature(name="x", kind=Kind.NUMBER),), label=Label(name="y"), record_id="order")

    def ask(self, values: list[Any], datatype: str = "BYTES", *, log: bool = True) -> None:
        inputs = [
            {"name": "x", "datatype": "FP64", "shape": [len(values)], "data": [1.0] * len(values)},
            {"name": "order", "datatype": datatype, "shape": [len(values)], "data": values},
        ]
        question_of(orjson.dumps({"inputs": inputs, "parameters": {"log": log}}), self.CONTRACT)

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [("", "missing-id"), (" \t", "missing-id"), (None, "missing-id"), ("x" * (LONGEST_NAME + 1), "too-long")],
    )
    def test_what_ingestion_does_not_take_is_refused(self, bad: Any, reason: str) -> None:
        with pytest.raises(Problem) as caught:
            self.ask(["a", bad])
        assert (caught.value.status, caught.value.reason) == (400, reason)
        assert "element 1" in caught.value.detail
        self.ask(["a", bad], log=False)

    def test_what_it_takes_is_scored(self) -> None:
        self.ask(["a", "x" * LONGEST_NAME])
        self.ask([1, 2**63 - 1], "INT64")

    def test_a_number_that_is_a_feature_too_has_to_be_whole(self) -> None:
        contract = self.CONTRACT.model_copy(update={"record_id": "x"})
        body = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [0.5]}]}
        with pytest.raises(Problem, match="send BYTES"):
            question_of(orjson.dumps(body), contract)
