"""Commands: passed on to whoever owns them, once per key, and only if they could mean something."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.ingestion.commands import COMMANDS
from services.ingestion.door.commands import Order
from shared.events.commands import ApproveCandidate, ClearFault, Command, PausePipeline, RetrainModel, RollBack
from tests.unit.doors.bench import House, opened

COMMAND = "/v1/pipelines/shop/commands"


@pytest.fixture
def house() -> Iterator[House]:
    with opened() as running:
        yield running


@pytest.mark.parametrize(
    ("name", "fields", "kind"),
    [
        ("pause", {}, PausePipeline),
        ("retrain", {}, RetrainModel),
        ("approve", {"version": "v1"}, ApproveCandidate),
        ("rollback", {}, RollBack),
        ("clear-fault", {"fault": "f1"}, ClearFault),
    ],
)
def test_a_command_lies_in_its_topic_under_the_id_that_was_answered(
    house: House, name: str, fields: dict[str, str], kind: type[Command]
) -> None:
    answer = house.client.post(f"{COMMAND}/{name}", json=fields)
    assert answer.status_code == 202
    assert house.commands() == [kind(pipeline="shop", command=answer.json()["command"], **fields)]


def test_every_command_but_apply_is_in_the_path_of_the_door() -> None:
    assert {order.value for order in Order} == COMMANDS.keys() - {"apply"}


def test_a_command_under_one_key_is_given_once_whatever_becomes_of_the_window(house: House) -> None:
    key = {"Idempotency-Key": "now"}
    first = house.client.post(f"{COMMAND}/retrain", headers=key).json()["command"]
    assert house.client.post(f"{COMMAND}/retrain", headers=key).json()["command"] == first
    house.window.down = True
    assert house.client.post(f"{COMMAND}/retrain", headers=key).json()["command"] == first
    assert {command.event_id for command in house.commands()} == {house.commands()[0].event_id}


def test_two_commands_without_a_key_are_two(house: House) -> None:
    ids = {house.client.post(f"{COMMAND}/pause").json()["command"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("name", "body", "status", "told"),
    [
        ("approve", b"{}", 422, "version"),
        ("approve", b'{"version": 3}', 422, "version"),
        ("approve", b'{"version": "v", "versoin": "v"}', 422, "unknown: versoin"),
        ("pause", b'{"command": "mine"}', 422, "takes no fields"),
        ("pause", b"[]", 422, "object of fields"),
        ("pause", b"{", 400, "not JSON"),
        ("apply", b'{"file": "0"}', 422, "clear-fault"),
        ("explode", b"{}", 422, "pause"),
        ("pause", b" " * 20_000, 413, "larger"),
    ],
)
def test_a_command_that_means_nothing_is_refused_with_what_would(
    house: House, name: str, body: bytes, status: int, told: str
) -> None:
    answer = house.client.post(f"{COMMAND}/{name}", content=body)
    assert answer.status_code == status
    assert told in answer.json()["detail"]
    assert house.commands() == []


def test_there_is_nothing_to_pause_where_there_is_no_pipeline(house: House) -> None:
    answer: Any = house.client.post("/v1/pipelines/ghost/commands/pause")
    assert (answer.status_code, answer.json()["reason"]) == (404, "no-pipeline")
