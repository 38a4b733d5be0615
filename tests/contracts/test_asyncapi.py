"""`docs/asyncapi.yaml` keeps the standard, says what the code says, and a real run says nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache

import pyarrow as pa
import pytest
from jsonschema import Draft7Validator

from services.asyncapi import CURE, FILE, stale
from services.asyncapi.messages import BODIES
from services.asyncapi.operations import writes
from services.embedded.plant import Plant
from shared.adapters.kafka.topics import Layout, settings_of
from shared.domain.rows import ingested_schema, labels_schema, predictions_schema, validated_schema
from shared.events.base import CATALOGUE
from shared.events.data import (
    LABELS_INGESTED_V1,
    PREDICTIONS_MADE_V1,
    RECORD_REFUSED_V1,
    RECORDS_INGESTED_V1,
    RECORDS_VALIDATED_V1,
)
from shared.events.topics import BY_NAME, TOPICS, Topic
from shared.runtime.advance import WRITER
from shared.runtime.core import Message
from tests.contracts.document import at, header_names, headers_of, published, references, stored, value_of
from tests.unit.embedded.lives import live, plant_pipeline
from tests.unit.ingestion.doors import CONTRACT

SCHEMAS = {
    RECORDS_INGESTED_V1: ingested_schema,
    RECORDS_VALIDATED_V1: validated_schema,
    LABELS_INGESTED_V1: labels_schema,
    PREDICTIONS_MADE_V1: predictions_schema,
}


class TestTheDocument:
    def test_is_what_the_code_says(self) -> None:
        assert not stale(), CURE

    def test_keeps_the_published_schema(self) -> None:
        assert problems(stored()) == []

    def test_would_not_keep_it_with_a_word_of_an_older_version(self) -> None:
        spoiled = copy.deepcopy(stored())
        next(iter(spoiled["operations"].values()))["action"] = "publish"
        assert problems(spoiled)

    def test_refers_only_to_what_there_is(self) -> None:
        for reference in set(references(stored())):
            assert at(reference) if reference.startswith("#") else (FILE.parent / reference).is_file()

    def test_has_every_topic_and_every_event(self) -> None:
        assert list(stored()["channels"]) == [topic.name for topic in TOPICS]
        assert set(CATALOGUE) < set(stored()["components"]["messages"])

    def test_sends_over_a_channel_only_what_the_channel_carries(self) -> None:
        for operation in stored()["operations"].values():
            carried = at(operation["channel"]["$ref"])["messages"]
            sent = [sent["$ref"].rpartition("/")[2] for sent in operation.get("messages", ())]
            assert set(sent) <= set(carried)

    def test_finds_what_belongs_together_where_it_says(self) -> None:
        location = stored()["components"]["correlationIds"]["trigger"]["location"]
        name = location.removeprefix("$message.header#/")
        assert all(name in header_names(kind) for kind in CATALOGUE)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_channel_says_what_the_broker_is_told(topic: Topic) -> None:
    said = stored()["channels"][topic.name]["bindings"]["kafka"]["topicConfiguration"]
    told = settings_of(topic, Layout())
    assert {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in said.items()} == {
        name: told.get(name) for name in said
    }


@pytest.mark.parametrize("kind", BODIES)
def test_the_columns_that_are_ours_are_told(kind: str) -> None:
    ours = set(SCHEMAS[kind](CONTRACT).names) - {feature.name for feature in CONTRACT.features} - {CONTRACT.label.name}
    told = BODIES[kind][1]
    told += BODIES[RECORDS_INGESTED_V1][1] if "as ingested" in told else ""
    assert ours
    assert all(f"`{name}`" in told for name in ours)


class TestARealRun:
    """Of three thousand records of the plant, with late labels, drift, a data fault and rows that are refused."""

    def test_says_most_of_what_can_be_said(self) -> None:
        assert len({message.headers["ce_type"] for message in samples()}) > 20
        assert RECORD_REFUSED_V1 in {message.headers["ce_type"] for message in samples()}

    def test_uses_channels_for_what_they_are_for(self) -> None:
        for message in samples():
            assert message.headers["ce_type"] in stored()["channels"][message.topic]["messages"]

    def test_has_no_writer_that_is_not_told_of(self) -> None:
        for message in samples():
            writer = message.headers.get(WRITER)
            if writer is not None:
                assert message.headers["ce_type"] in writes()[writer][BY_NAME[message.topic]]

    def test_keeps_the_schemas_of_headers(self) -> None:
        for message in samples():
            found = headers_of(message.headers["ce_type"]).iter_errors(dict(message.headers))
            assert [f"{message.headers['ce_type']}: {error.message}" for error in found] == []

    def test_has_no_header_that_is_not_told_of(self) -> None:
        for message in samples():
            assert set(message.headers) <= header_names(message.headers["ce_type"])

    def test_gives_no_two_things_one_id(self) -> None:
        """Source and id name an event, says CloudEvents; tools drop the second one."""
        ids = [(m.headers["ce_source"], m.headers["ce_id"]) for m in samples()]
        assert len(set(ids)) == len(ids)

    def test_keeps_the_schemas_of_values(self) -> None:
        for message in samples():
            if message.headers["ce_type"] in CATALOGUE:
                errors = value_of(message.headers["ce_type"]).iter_errors(json.loads(message.value))
                assert [error.message for error in errors] == []


def problems(document: object) -> list[str]:
    return [error.message for error in Draft7Validator(published()).iter_errors(document)]


@cache
def samples() -> tuple[Message, ...]:
    """One message of each kind: the same writer, topic, type and headers."""
    kinds = {
        (message.headers.get(WRITER), message.topic, message.headers["ce_type"], *sorted(message.headers)): message
        for message in said()
    }
    return tuple(kinds.values())


def said() -> Iterator[Message]:
    life = live(plant_pipeline(), batches(), 100)
    return (message for topic in TOPICS for message in life.messages(topic.name))


def batches() -> Iterator[pa.RecordBatch]:
    """The plant's, one that is no number where the contract says so, and one that is out of range."""
    yield from Plant(rows=3000).batches(25)
    last = next(Plant(rows=100).batches(1))
    for column, value in (("torque_nm", "tight"), ("temperature_c", 999.0)):
        place, crate = last.schema.get_field_index(column), last.schema.get_field_index("crate")
        spoiled = last.set_column(place, column, pa.array([value]))
        yield spoiled.set_column(crate, "crate", pa.array([f"spoiled {column}"]))
