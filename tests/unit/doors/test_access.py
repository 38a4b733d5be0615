"""Tokens: who may do what, to which pipelines; and what is kept from those who look over our shoulder."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from shared.access.stores import Standing
from shared.access.tokens import AccessError, TokenFile, access_of, issue, line_of, read_grants
from tests.unit.doors.bench import House, opened
from tests.unit.ingestion.doors import row
from tests.waiting import until

RECORDS = "/v1/pipelines/shop/records"
Bearer = dict[str, str]


def bearer(token: str) -> Bearer:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.jsonl"


def granted(path: Path, name: str, **what: Any) -> Bearer:
    """Adds a grant to the file; returns the header that uses it."""
    token, grant = issue(name, **what)
    with path.open("a") as file:
        file.write(line_of(grant) + "\n")
    return bearer(token)


@pytest.fixture
def producer(path: Path) -> Bearer:
    return granted(path, "till-1", pipelines=("shop", "market-*"), scopes=("ingest",))


@pytest.fixture
def house(path: Path, producer: Bearer) -> Iterator[House]:
    with opened(access=TokenFile(path)) as running:
        yield running


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def test_the_right_token_opens(house: House, producer: Bearer) -> None:
    assert house.client.post(RECORDS, json=row(), headers=producer).status_code == 202


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="driftloop"'),
        ({"Authorization": "Basic dTpw"}, 'Bearer realm="driftloop"'),
        (bearer("driftloop_guess"), 'Bearer realm="driftloop", error="invalid_token"'),
    ],
)
def test_no_token_or_a_wrong_one_is_challenged(house: House, headers: Bearer, challenge: str) -> None:
    answer = house.client.post(RECORDS, json=row(), headers=headers)
    assert refused(answer) == (401, "no-valid-token")
    assert answer.headers["www-authenticate"] == challenge


@pytest.mark.parametrize(
    ("method", "place"),
    [
        ("POST", "/v1/pipelines/other/records"),
        ("POST", "/v1/pipelines/shop/commands/pause"),
        ("PUT", "/v1/pipelines/shop"),
        ("PUT", "/v1/models"),
        ("GET", "/v1/pipelines/shop"),
        ("GET", "/v1/pipelines"),
    ],
)
def test_a_token_is_good_for_its_pipelines_and_scopes_alone(
    house: House, producer: Bearer, method: str, place: str
) -> None:
    answer = house.client.request(method, place, content=b"{}", headers=producer)
    assert refused(answer) == (403, "not-allowed")
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_a_stranger_is_turned_away_before_the_body_is_read(house: House) -> None:
    answer = house.client.post(RECORDS, content=(b"x" * 1000 for _ in range(3)))
    assert answer.status_code == 401


def test_patterns_cover_families_of_pipelines(house: House, producer: Bearer) -> None:
    answer = house.client.post("/v1/pipelines/market-7/records", json=row(), headers=producer)
    assert refused(answer) == (404, "no-pipeline")


def test_a_list_shows_what_the_token_covers(house: House, path: Path) -> None:
    viewer = granted(path, "viewer", pipelines=("shop",), scopes=("read",))
    for name in ("shop", "secret"):
        house.status.standings[name] = Standing(name, 3, 1_700_000_000_000, {"champion": None})
    shown = house.client.get("/v1/pipelines", headers=viewer).json()["pipelines"]
    assert [each["pipeline"] for each in shown] == ["shop"]


@pytest.mark.parametrize("renamed", [False, True])
def test_a_change_of_the_file_is_in_force_at_once(house: House, path: Path, producer: Bearer, renamed: bool) -> None:
    """Written in place, or put in the old one's place, as editors do."""
    written = path.with_suffix(".new") if renamed else path
    written.write_text("")
    written.replace(path)
    assert house.client.post(RECORDS, json=row(), headers=producer).status_code == 401
    new = granted(path, "till-2", scopes=("ingest",))
    assert house.client.post(RECORDS, json=row(), headers=new).status_code == 202


@pytest.mark.parametrize("slip", ["- {name: x", '{"name": "x"}\n', None])
def test_a_file_that_cannot_be_read_changes_nothing(
    house: House, path: Path, producer: Bearer, slip: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink() if slip is None else path.write_text(slip)
    assert house.client.post(RECORDS, json=row(), headers=producer).status_code == 202
    assert "tokens stay as they were" in caplog.text


def test_yaml_and_json_lines_say_the_same(tmp_path: Path) -> None:
    grants = [issue("a")[1], issue("b", ("x-*",), ("read",))[1]]
    lines, listed = tmp_path / "a.jsonl", tmp_path / "b.yaml"
    lines.write_text("\n".join(map(line_of, grants)))
    listed.write_text(yaml.safe_dump([grant.model_dump(mode="json") for grant in grants]))
    assert read_grants(lines) == read_grants(listed) == tuple(grants)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "neither a YAML list nor JSON lines"),
        ("name: x", "has to be a list of grants"),
        ('{"name": "x", "sha256": "short"}', "line 1: sha256:"),
        (json.dumps({"name": "x", "sha256": "0" * 64, "scopes": ["all"]}), "line 1: scopes.0:"),
        (json.dumps({"name": "x", "sha256": "0" * 64, "scope": []}), "line 1: scope:"),
        ("\n".join([json.dumps({"name": "x", "sha256": "0" * 64})] * 2), "two grants are named 'x'"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(path: Path, text: str, told: str) -> None:
    path.write_text(text)
    with pytest.raises(AccessError, match=told) as error:
        TokenFile(path)
    assert str(path) in str(error.value)
    assert "short" not in str(error.value)


def test_tokens_are_long_and_never_the_same_and_only_their_hash_is_kept() -> None:
    token, grant = issue("a")
    assert len({issue("a")[0] for _ in range(100)}) == 100
    assert token.startswith("driftloop_")
    assert len(token) == len("driftloop_") + 43
    assert token not in line_of(grant)


def test_without_a_file_all_is_open_and_a_warning_says_so(caplog: pytest.LogCaptureFixture) -> None:
    grant = access_of(None).bearer(None)
    assert grant is not None
    assert grant.allows("command")
    assert grant.covers("anything")
    assert "everything" in caplog.text


def lines_about_requests(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "shared.access.watching"]


def test_the_log_names_who_asked_and_holds_neither_token_nor_body(
    house: House, producer: Bearer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        house.client.post(f"{RECORDS}?password=hush", json=row(shop="confidential"), headers=producer)
        # The line follows the answer.
        until(lambda: bool(lines_about_requests(caplog)), "the request's line")
    [line] = lines_about_requests(caplog)
    assert line.getMessage() == "POST /v1/pipelines/{name}/records 202"
    assert (line.__dict__["by"], line.__dict__["pipeline"]) == ("till-1", "shop")
    said = "".join(str(record.__dict__) for record in caplog.records if record.name.startswith(("shared", "services")))
    for secret in (producer["Authorization"].split()[1], "confidential", "hush"):
        assert secret not in said
