"""Events are a contract: stored schemas, stored examples, and readers and writers of different age understand."""

from __future__ import annotations

import json
import math
import pkgutil
import re
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import shared.events
from shared.events import data, schemas
from shared.events.base import CATALOGUE, Event
from shared.events.drift_detection import DriftSuspected
from shared.events.envelope import from_message, to_append
from shared.events.topics import LEDGER
from shared.runtime.core import Message
from tests.contracts.examples import FILES, FOLDER, NAMES, document_of, event_of, kind_of, text_of
from tests.contracts.generated import instances

KINDS = tuple(sorted(CATALOGUE))
TYPE_NAME = re.compile(r"driftloop\.[a-z]+\.[a-z]+(-[a-z]+)*\.v[1-9][0-9]*")
IDS = "ids.json"


def test_the_package_imports_every_module_that_declares_events() -> None:
    for module in pkgutil.iter_modules(shared.events.__path__):
        import_module(f"shared.events.{module.name}")
    homes = {kind.__module__.rpartition(".")[2] for kind in CATALOGUE.values()}
    assert homes == set(shared.events.__all__)


def test_stored_schemas_are_what_the_code_says() -> None:
    assert schemas.stale() == [], schemas.CURE


def test_every_event_has_an_example_and_every_example_an_event() -> None:
    assert {path.parent.name for path in FILES} == set(KINDS)


def test_nothing_else_lies_among_the_examples() -> None:
    others = {path for path in FOLDER.rglob("*") if path.is_file()} - set(FILES)
    assert {path.name for path in others} == {IDS}


@pytest.mark.parametrize("name", [*KINDS, *(value for key, value in vars(data).items() if key.endswith("_V1"))])
def test_type_names_say_subject_action_and_version(name: str) -> None:
    assert TYPE_NAME.fullmatch(name), "write driftloop.<subject>.<action>.v<n>"


@pytest.mark.parametrize("name", KINDS)
def test_readers_are_told_to_ignore_what_they_do_not_know(name: str) -> None:
    stored = schemas.stored()[f"{name}.json"]
    assert '"additionalProperties": false' not in stored, "derive nested models from shared.events.base.Part"


@pytest.mark.parametrize("name", NAMES)
def test_an_example_keeps_the_stored_schema(name: str) -> None:
    assert problems(kind_of(name), document_of(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_an_old_event_says_to_new_code_all_that_it_said(name: str) -> None:
    assert said_by(json.loads(event_of(name).model_dump_json()), document_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_an_event_from_before_the_optional_fields_is_read(name: str) -> None:
    required = schema_of(kind_of(name))["required"]
    older = {key: value for key, value in document_of(name).items() if key in required}
    kind_of(name).model_validate(older)


@pytest.mark.parametrize("name", NAMES)
def test_an_event_from_after_a_new_field_is_read(name: str) -> None:
    newer = document_of(name) | {"a_field_of_tomorrow": {"any": ["thing"]}}
    assert problems(kind_of(name), newer) == []
    assert kind_of(name).model_validate(newer) == event_of(name)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(draw=st.data())
def test_what_new_code_writes_keeps_the_stored_schema_and_comes_back(name: str, draw: st.DataObject) -> None:
    event = draw.draw(instances(CATALOGUE[name]))
    written = event.model_dump_json()
    assert problems(type(event), json.loads(written)) == []
    assert type(event).model_validate_json(written) == event


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_the_ones_they_have_always_been(name: str) -> None:
    """An id that changes with the code would make one fact two, in every fold over an older log."""
    assert event_of(name).event_id == json.loads((FOLDER / IDS).read_text())[name]


def test_ids_are_stored_for_examples_only() -> None:
    assert set(json.loads((FOLDER / IDS).read_text())) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_event_survives_its_envelope(name: str) -> None:
    cause = Message("ledger", 0, 41, 1_700_000_000_000, "bottling-plant", text_of(name).encode())
    append = to_append(LEDGER.name, event_of(name), cause, correlation="episode")
    message = Message(append.topic, 0, 42, 1_700_000_000_001, append.unit.pipeline, append.value, append.headers)
    assert from_message(message) == event_of(name)
    assert message.headers["ce_id"] == event_of(name).event_id
    assert message.headers["ce_causationid"] == "ledger/0/41"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_can_not_say_is_refused_where_it_is_written(number: float) -> None:
    suspected = document_of("driftloop.drift.suspected.v1/losses")
    with pytest.raises(ValidationError, match="evidence"):
        DriftSuspected.model_validate(suspected | {"evidence": number})


def test_a_type_of_tomorrow_is_passed_over() -> None:
    message = Message("ledger", 0, 0, 0, "p", b"not even JSON", {"ce_type": "driftloop.drift.forgiven.v9"})
    assert from_message(message) is None


def schema_of(kind: type[Event]) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schemas.stored()[f"{kind.type}.json"])
    return schema


def problems(kind: type[Event], document: dict[str, Any]) -> list[str]:
    """What the stored schema holds against a document."""
    return [error.message for error in Draft202012Validator(schema_of(kind)).iter_errors(document)]


def said_by(new: Any, old: Any) -> bool:
    """Whether everything in the old document is in the new one; the new one may hold more."""
    if isinstance(old, dict):
        return all(key in new and said_by(new[key], value) for key, value in old.items())
    if isinstance(old, list):
        return len(new) == len(old) and all(said_by(n, o) for n, o in zip(new, old, strict=True))
    return bool(new == old)
