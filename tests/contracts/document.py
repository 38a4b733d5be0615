"""The stored AsyncAPI document as data, and the schema that the AsyncAPI initiative publishes for such documents."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT7

from services.asyncapi import FILE

PUBLISHED = Path(__file__).parent / "published" / "asyncapi-3.1.0.json.gz"
DIGEST = "51d3274899ad2875f25c18fd1aef4d5512f0a97be785d519740bde55a4162f61"
"""SHA-256 of the unpacked file, as published."""
HERE = "urn:the-document"


@cache
def stored() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return loaded


def published() -> dict[str, Any]:
    text = gzip.decompress(PUBLISHED.read_bytes())
    assert sha256(text).hexdigest() == DIGEST, f"{PUBLISHED.name} is not what was published"
    schema: dict[str, Any] = json.loads(text)
    return schema


def references(node: Any) -> Iterator[str]:
    """Every ``$ref`` in the node."""
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "$ref")
        yield from (found for value in node.values() for found in references(value))
    elif isinstance(node, list):
        yield from (found for value in node for found in references(value))


def at(pointer: str) -> Any:
    """What ``#/a/b`` points to. LookupError where that is nothing."""
    node: Any = stored()
    for name in pointer.removeprefix("#/").split("/"):
        node = node[name]
    return node


@cache
def headers_of(kind: str) -> Draft7Validator:
    """AsyncAPI's own dialect is a superset of draft 7."""
    registry = Registry().with_resource(HERE, DRAFT7.create_resource(stored()))
    schema = {"$ref": f"{HERE}#/components/messages/{kind}/headers"}
    return Draft7Validator(schema, registry=registry, format_checker=FormatChecker())


@cache
def value_of(kind: str) -> Draft202012Validator:
    """For events, whose values are JSON."""
    [reference] = references(stored()["components"]["messages"][kind]["payload"])
    return Draft202012Validator(json.loads((FILE.parent / reference).read_text(encoding="utf-8")))


def header_names(kind: str) -> set[str]:
    """Every header that the document tells of, for one type of message."""
    return set(_names(stored()["components"]["messages"][kind]["headers"]))


def _names(schema: Mapping[str, Any]) -> Iterator[str]:
    yield from schema["properties"]
    for part in schema.get("allOf", ()):
        yield from _names(at(part["$ref"]))
