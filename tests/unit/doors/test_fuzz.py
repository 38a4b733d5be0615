"""Whatever is sent: an answer of ours comes, never a defect, and what is taken stays in the log readable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.access.bodies import Limits
from tests.unit.doors.bench import House, opened
from tests.unit.ingestion.doors import row

RECORDS = "/v1/pipelines/shop/records"
CONTENT_TYPES = (
    "application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.arrow.stream",
    "application/vnd.apache.parquet", "application/cloudevents+json", "application/cloudevents-batch+json",
    "application/json; charset=latin-1", "", "*/*", "text/html",
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
COLUMNS = st.sampled_from(["price", "count", "shop", "open", "at", "sold", "extra", ""])
ROWS = st.dictionaries(COLUMNS, VALUES, max_size=6)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with opened(limits=Limits(body_bytes=1 << 20)) as running:
        yield running


def sound(answer: Any) -> None:
    assert answer.status_code in (202, 400, 404, 409, 413, 415, 422), answer.text
    body = answer.json()
    if answer.status_code == 202:
        assert body["accepted"] + body["dead"] == body["received"]
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert body["status"] == answer.status_code


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode), st.sampled_from(CONTENT_TYPES))
def test_any_bytes_get_an_answer(house: House, body: bytes, content_type: str) -> None:
    sound(house.client.post(RECORDS, content=body, headers={"content-type": content_type}))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES | st.lists(ROWS, max_size=5), st.sampled_from(CONTENT_TYPES))
def test_any_json_gets_an_answer(house: House, value: Any, content_type: str) -> None:
    body = json.dumps(value)
    sound(house.client.post(RECORDS, content=body, headers={"content-type": content_type}))


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "[" * 100_000 + "]" * 100_000,
        json.dumps([row(price={"deep": [[[[]]]]})]),
        json.dumps(row(price=float("nan"))),
        json.dumps(row(price=float("inf"), count=float("-inf"))),
        json.dumps(row(count=10**400)),
        '{"price": 1e999}',
        '{"price": 1, "price": 2}',
        '{"shop": "\\ud800"}',
        "{}",
        "[]",
        "[null, 1, [], {}]",
        "\ufeff{}",
        "nul",
        json.dumps([row()] * 5000),
    ],
    ids=range(16),
)
def test_the_classics_get_an_answer(house: House, body: str) -> None:
    sound(
        house.client.post(
            RECORDS, content=body.encode("utf-8", "surrogatepass"), headers={"content-type": "application/json"}
        )
    )


def test_after_all_that_the_door_is_as_it_was_and_the_log_can_be_read(house: House) -> None:
    assert house.client.post(RECORDS, json=row()).json()["accepted"] == 1
    assert house.rows().num_rows > 0
    assert 'status="500"' not in house.metrics.text().decode()
