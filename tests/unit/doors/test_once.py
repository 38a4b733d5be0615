"""Two attempts under one key count once: with the window, without it, and when nobody knows how the first one ended."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from shared.access.bodies import Limits
from shared.domain.rows import ID
from shared.events.topics import RECORDS_INGESTED
from tests.unit.doors.bench import House, opened
from tests.unit.ingestion.doors import PIPELINE, row
from tests.waiting import until

RECORDS = "/v1/pipelines/shop/records"
ROW, OTHER = row(), row(price=2.5)


@pytest.fixture
def house() -> Iterator[House]:
    with opened() as running:
        yield running


def send(house: House, rows: Any, key: str | None, **headers: str) -> httpx.Response:
    given = {"Idempotency-Key": key} if key else {}
    return house.client.post(RECORDS, json=rows, headers=given | headers)


def distinct_ids(house: House) -> int:
    return len(set(house.rows()[ID].to_pylist()))


def test_a_repetition_gets_the_first_answer(house: House) -> None:
    first, second = send(house, [ROW], "k"), send(house, [ROW], "k")
    assert second.content == first.content
    assert (first.headers.get("idempotency-replayed"), second.headers["idempotency-replayed"]) == (None, "true")
    assert len(house.messages(RECORDS_INGESTED.name)) == 1


def test_a_key_in_quotes_is_the_same_key(house: House) -> None:
    assert send(house, [ROW], '"k"').json()["batch"] == send(house, [ROW], "k").json()["batch"]


def test_a_key_with_another_body_is_refused(house: House) -> None:
    send(house, [ROW], "k")
    answer = send(house, [OTHER], "k")
    assert (answer.status_code, answer.json()["reason"]) == (422, "key-reused")
    assert house.rows().num_rows == 1


def test_a_key_is_the_senders_own_per_pipeline_and_action(house: House) -> None:
    house.serve(PIPELINE.model_copy(update={"name": "market"}))
    until(lambda: house.client.post("/v1/pipelines/market/records", json=[]).status_code != 404)
    one = send(house, [ROW], "k")
    two = house.client.post("/v1/pipelines/market/records", json=[ROW], headers={"Idempotency-Key": "k"})
    paused = house.client.post("/v1/pipelines/shop/commands/pause", headers={"Idempotency-Key": "k"})
    assert [one.status_code, two.status_code, paused.status_code] == [202, 202, 202]
    assert "idempotency-replayed" not in two.headers


def test_a_refused_delivery_leaves_its_key_free(house: House) -> None:
    assert send(house, [row(price="much")], "k").status_code == 422
    assert send(house, [ROW], "k").status_code == 202


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "tab\tin"])
def test_a_key_that_is_none_is_refused(house: House, key: str) -> None:
    answer = house.client.post(RECORDS, json=[ROW], headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["reason"]) == (400, "invalid-key")


def test_without_the_window_a_repetition_is_delivered_again_under_the_same_ids(house: House) -> None:
    house.window.down = True
    first, second = send(house, [ROW], "k"), send(house, [ROW], "k")
    assert first.json()["ids"] == second.json()["ids"]
    ids = [message.headers["ce_id"] for message in house.messages(RECORDS_INGESTED.name)]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert house.counted("idempotency window") >= 2


def test_without_the_window_another_body_is_another_delivery_and_not_a_dropped_one(house: House) -> None:
    house.window.down = True
    send(house, [ROW], "k")
    assert send(house, [OTHER], "k").status_code == 202
    assert distinct_ids(house) == 2


def test_attempts_under_way_at_once_are_one_delivery(house: House) -> None:
    house.halted.set()
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(send, house, [ROW], "k") for _ in range(4)]
        until(lambda: house.window.held)
        house.halted.clear()
        bodies = {answer.result().content for answer in answers}
    assert len(bodies) == 1
    assert len(house.messages(RECORDS_INGESTED.name)) == 1


def test_one_event_for_two_pipelines_at_once_reaches_both(house: House) -> None:
    house.serve(PIPELINE.model_copy(update={"name": "market"}))
    until(lambda: house.client.post("/v1/pipelines/market/records", json=[]).status_code != 404)
    event = {"ce-specversion": "1.0", "ce-type": "sale", "ce-source": "t", "ce-id": "1"}
    house.halted.set()
    with ThreadPoolExecutor(2) as pool:
        paths = ("/v1/pipelines/shop/records", "/v1/pipelines/market/records")
        answers = [pool.submit(house.client.post, path, json=[ROW], headers=event) for path in paths]
        until(lambda: len(house.window.held) == 1)
        house.halted.clear()
        batches = {answer.result().json()["batch"] for answer in answers}
    assert len(batches) == 2
    assert {message.key for message in house.messages(RECORDS_INGESTED.name)} == {"shop", "market"}


def test_no_answer_in_time_says_how_to_ask_again_and_then_it_counts_once() -> None:
    with opened(limits=Limits(answer_seconds=0.2)) as house:
        house.halted.set()
        lost = send(house, [ROW], None)
        house.halted.clear()
        assert (lost.status_code, lost.json()["reason"]) == (503, "unknown-outcome")
        assert lost.headers["retry-after"] == "1"
        until(lambda: send(house, [ROW], lost.json()["idempotency_key"]).status_code == 202)
        assert distinct_ids(house) == 1


def test_a_full_desk_turns_away_and_takes_nothing() -> None:
    with opened(desk_bytes=100, limits=Limits(answer_seconds=60)) as house:
        house.halted.set()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(send, house, [ROW] * 10, None)
            until(lambda: house.metrics.registry.get_sample_value("driftloop_desk_bytes"))
            away = send(house, [ROW], "k")
            house.halted.clear()
            assert first.result().status_code == 202
        assert (away.status_code, away.json()["reason"]) == (429, "busy")
        assert int(away.headers["retry-after"]) >= 1
        assert house.rows().num_rows == 10
        assert send(house, [ROW], "k").status_code == 202


@pytest.mark.parametrize("key", ["k", None])
def test_an_acknowledgement_that_was_lost_is_an_unknown_outcome(house: House, key: str | None) -> None:
    house.log.silent = True
    lost = send(house, [ROW], key)
    house.log.silent = False
    assert (lost.status_code, lost.json()["reason"]) == (503, "unknown-outcome")
    assert ("idempotency_key" in lost.json()) == (key is None)
    assert send(house, [ROW], key or lost.json()["idempotency_key"]).status_code == 202
    assert (house.rows().num_rows, distinct_ids(house)) == (2, 1)
