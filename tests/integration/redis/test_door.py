"""The door with a real window behind it, and with one that goes away."""

from __future__ import annotations

from time import monotonic

import httpx

from shared.adapters.redis.client import Cache
from shared.adapters.redis.idempotency import IdempotencyWindow
from shared.adapters.redis.read_model import RedisReadModel
from shared.domain.rows import ID
from tests.integration.redis.conftest import PATIENT, REST, Server
from tests.unit.doors.bench import House, opened
from tests.unit.ingestion.doors import row
from tests.waiting import until


def send(house: House, key: str, *rows: object) -> httpx.Response:
    return house.client.post("/v1/pipelines/shop/records", json=list(rows), headers={"Idempotency-Key": key})


def test_the_door_works_with_its_window_without_it_and_with_it_again(server: Server, cache: Cache) -> None:
    cache.ask("PING")
    with opened(window=IdempotencyWindow(Cache(server.url, patience=PATIENT, rest=REST), "door")) as house:
        first = send(house, "k", row())
        assert send(house, "k", row()).headers["idempotency-replayed"] == "true"
        assert send(house, "k", row(count=3)).status_code == 422
        server.stop_serving()
        try:
            start = monotonic()
            without = [send(house, "k", row()) for _ in range(5)]
            assert monotonic() - start < 4 * PATIENT
        finally:
            server.serve_again()
        assert {answer.status_code for answer in without} == {202}
        assert {tuple(answer.json()["ids"]) for answer in without} == {tuple(first.json()["ids"])}
        assert len(set(house.rows()[ID].to_pylist())) == 1
        assert house.counted("idempotency window") > 0
        until(lambda: "idempotency-replayed" in send(house, "k", row()).headers)


def test_a_read_model_that_is_away_is_told_as_such(server: Server, cache: Cache) -> None:
    cache.ask("PING")
    with opened(status=RedisReadModel(Cache(server.url, patience=PATIENT, rest=REST), "door")) as house:
        assert house.client.get("/v1/pipelines/shop").status_code == 404
        server.stop_serving()
        try:
            assert house.client.get("/v1/pipelines/shop").json()["reason"] == "no-read-model"
        finally:
            server.serve_again()
