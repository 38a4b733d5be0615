"""How things stand: with its age, or with a word about why not."""

from __future__ import annotations

from time import time

from shared.access.stores import Standing
from tests.unit.doors.bench import opened


def test_a_pipeline_is_shown_with_the_age_of_what_is_known() -> None:
    with opened() as house:
        at = int(time() * 1000) - 5_000
        house.status.standings["shop"] = Standing("shop", 41, at, {"champion": "v1"})
        shown = house.client.get("/v1/pipelines/shop").json()
        assert (shown["pipeline"], shown["ledger_offset"], shown["standing"]) == ("shop", 41, {"champion": "v1"})
        assert 5 <= shown["age_seconds"] < 15
        assert house.client.get("/v1/pipelines").json()["pipelines"][0]["pipeline"] == "shop"


def test_an_unknown_pipeline_and_a_silent_store_are_told_apart() -> None:
    with opened() as house:
        assert house.client.get("/v1/pipelines/ghost").status_code == 404
        house.status.down = True
        for path in ("/v1/pipelines/shop", "/v1/pipelines"):
            answer = house.client.get(path)
            assert (answer.status_code, answer.json()["reason"]) == (503, "no-read-model")
            assert "retry-after" in answer.headers
        assert house.counted("read model") == 2
