"""What validation needs of a pipeline file, worked out once per file."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from services.validation.registry import Check, checks
from shared.domain.contract import Feature
from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import decode_pipeline
from shared.domain.rows import ingested_schema, validated_schema
from shared.events.validation import rejected_schema


@dataclass(frozen=True, slots=True)
class Rule:
    """A check of one feature. ``name``: as in reason codes and profiles, ``rule:column``."""

    name: str
    check: Check
    feature: Feature


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline's schemas and rules."""

    pipeline: Pipeline
    ingested: pa.Schema
    validated: pa.Schema
    rejected: pa.Schema
    rules: tuple[Rule, ...]


def decode_plan(data: bytes) -> Plan:
    """The plan of a stored pipeline file; for ``read(file, decode_plan)``."""
    pipeline = decode_pipeline(data)
    contract = pipeline.contract
    rules = tuple(
        Rule(f"{check.rule}:{feature.name}", check, feature)
        for feature in contract.features
        for check in checks()
        if check.applies(feature)
    )
    return Plan(pipeline, ingested_schema(contract), validated_schema(contract), rejected_schema(contract), rules)
