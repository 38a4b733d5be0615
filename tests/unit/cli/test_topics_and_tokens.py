"""`driftloop topics` and `token`: what is set up once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.cli.errors import UserError
from services.cli.waiting import until_answered
from shared.access.tokens import TokenFile
from shared.adapters.kafka import topics as broker
from shared.runtime.ports import Indefinite
from tests.unit.cli.calls import call


def answering(*answers: Any) -> Callable[..., Any]:
    """A broker that gives these answers, one after the other; an exception is raised."""
    left = list(answers)

    def answer(*_: object) -> Any:
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    return answer


def test_missing_topics_are_made_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "verify", answering(["ledger is missing"], []))
    monkeypatch.setattr(broker, "create", answering(("ledger", "commands")))
    told = call("topics", "create")
    assert (told.code, told.out) == (0, "made ledger, commands\n")


def test_making_them_again_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "verify", answering([], []))
    monkeypatch.setattr(broker, "create", answering(()))
    assert call("topics", "create").out == "all topics are there\n"


def test_topics_that_differ_are_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    difference = "driftloop.ledger.v1: retention.ms is 5, declared is -1"
    monkeypatch.setattr(broker, "verify", answering([difference], [difference]))
    monkeypatch.setattr(broker, "create", answering(()))
    assert call("topics", "verify").code == 1
    monkeypatch.setattr(broker, "verify", answering([difference], [difference]))
    told = call("topics", "create")
    assert told.code == 1
    assert difference in told.out


def test_a_broker_that_is_just_starting_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.cli.waiting.PAUSE", 0.0)
    monkeypatch.setattr(broker, "verify", answering(Indefinite("no"), Indefinite("no"), []))
    told = call("topics", "verify")
    assert told.code == 0
    assert told.err == "waiting for the broker at localhost:9092\n"


def test_but_not_for_ever() -> None:
    with pytest.raises(UserError, match="the broker did not answer within 0 s: no"):
        until_answered(answering(*[Indefinite("no")] * 9), Indefinite, "the broker", seconds=0.0)


def test_a_token_opens_what_its_line_says(tmp_path: Path) -> None:
    told = call("token", "plant", "--pipeline", "bottling-*", "--scope", "ingest", "--scope", "read")
    token, line = told.out.splitlines()[1], told.out.splitlines()[4]
    (tmp_path / "tokens").write_text(line + "\n")
    grant = TokenFile(tmp_path / "tokens").bearer(token)
    assert grant is not None
    assert (grant.name, grant.pipelines, grant.scopes) == ("plant", ("bottling-*",), ("ingest", "read"))
    assert token not in line


def test_a_token_is_good_for_everything_unless_told_otherwise() -> None:
    line = json.loads(call("token", "me").out.splitlines()[4])
    assert (line["pipelines"], len(line["scopes"])) == (["*"], 4)


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("token", "me", "--scope", "admin"), "scope 'admin': there is none of this name; there are ingest"),
        (("token", ""), "1 to 64 characters"),
        (("topics", "bogus"), "No such command 'bogus'"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], cause: str) -> None:
    told = call(*arguments)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
    assert cause in told.err
