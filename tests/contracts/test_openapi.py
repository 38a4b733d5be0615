"""What a door says of itself keeps OpenAPI, and the stored copy says the same."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from shared.access.pages import rendered

ROOT = Path(__file__).parents[2]
DOORS = tuple(sorted(path.parts[-3] for path in (ROOT / "services").glob("*/door/openapi.py")))
"""Services with a door for HTTP."""


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> ModuleType:
    return import_module(f"services.{request.param}.door.openapi")


def test_there_are_doors() -> None:
    assert DOORS


def test_the_document_keeps_the_standard(door: ModuleType) -> None:
    assert problems(json.loads(rendered(door.described()))) == []


def test_the_stored_document_is_what_the_door_says(door: ModuleType) -> None:
    cure = f"run 'python -m {door.__name__}'"
    assert (ROOT / door.STORED).is_file(), cure
    assert (ROOT / door.STORED).read_text(encoding="utf-8") == rendered(door.described()), cure


def test_a_document_that_breaks_the_standard_would_be_noticed(door: ModuleType) -> None:
    document = json.loads(rendered(door.described()))
    document["info"].pop("version")
    assert problems(document)


def problems(document: dict[str, Any]) -> list[str]:
    assert document["openapi"].startswith("3.1.")
    return [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()]
