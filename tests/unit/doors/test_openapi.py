"""The OpenAPI documents say what the doors do, and the stored copies say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from services.ingestion.door import openapi as ingestion
from services.ingestion.door.documents import PIPELINE_FILE
from services.prediction.door import openapi as prediction
from shared.access.pages import rendered
from shared.domain.pipeline_file import parse_pipeline
from tests.unit.doors.bench import House, opened

ROOT = Path(__file__).parents[3]
DOORS = {"ingestion": (ingestion.described, ingestion.STORED), "prediction": (prediction.described, prediction.STORED)}
Operation = tuple[str, str, dict[str, Any]]


def operations(app: FastAPI) -> Iterator[Operation]:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


@pytest.mark.parametrize("door", DOORS)
def test_the_stored_document_is_the_doors(door: str) -> None:
    described, stored = DOORS[door]
    module = f"services.{door}.door.openapi"
    assert (ROOT / stored).read_text("utf-8") == rendered(described()), f"run 'python -m {module}'"


@pytest.mark.parametrize("door", DOORS)
def test_every_operation_says_what_it_does_and_how_it_refuses(door: str) -> None:
    for _, path, operation in operations(DOORS[door][0]()):
        assert operation["summary"], path
        answers = operation["responses"]
        locked = not path.startswith("/v2/health") and path != "/v2"
        assert ("401" in answers) == locked == ("security" in operation), path
        for status, answer in answers.items():
            expected = "application/problem+json" if int(status) >= 400 else "application/json"
            assert list(answer["content"]) == [expected], (path, status)


def test_every_example_of_a_delivery_is_taken() -> None:
    with opened(parse_pipeline(PIPELINE_FILE)) as house:
        taken = [send_example(house, *each) for each in examples()]
    assert len(taken) >= 14
    assert {status for _, status in taken} == {202}, taken


def examples() -> Iterator[tuple[str, str, Any]]:
    """(path, content type, body) of every example that the document gives for records, labels and files."""
    for _, path, operation in operations(ingestion.described()):
        for content_type, content in operation.get("requestBody", {}).get("content", {}).items():
            named = [each["value"] for each in content.get("examples", {}).values()]
            alone = [content["example"]] if "example" in content else []
            if "commands" not in path:
                yield from ((path, content_type, body) for body in [*named, *alone])


def send_example(house: House, path: str, content_type: str, body: Any) -> tuple[str, int]:
    method = "PUT" if path.endswith("}") else "POST"
    content = body if isinstance(body, str) else json.dumps(body)
    answer = house.client.request(
        method, path.replace("{name}", "bottling-plant"), content=content, headers={"content-type": content_type}
    )
    return f"{path} {content_type}", answer.status_code


def test_the_page_of_docs_lists_everything_even_where_its_scripts_cannot_be_fetched() -> None:
    with opened() as house:
        page = house.client.get("/docs").text
        assert "swagger-ui-bundle.js" in page
        for _, path, _ in operations(ingestion.described()):
            assert path in page
