"""Everything that is said has a topic, somebody who says it and somebody whom it is for, and is called by fit names."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields

import pytest

from services.__main__ import NAMES
from services.asyncapi.operations import CORES, reads, writes
from shared.events import data
from shared.events.base import CATALOGUE
from shared.events.topics import RECORDS_DEAD, TOPICS, Topic
from shared.events.traffic import INLETS, OUTLETS, ROWS_OFFERED, SERVICES, sayings
from tests.contracts.document import header_names, stored
from tests.contracts.drawing import drawing
from tests.contracts.sources import named_topics

TYPES = tuple(saying.type for saying in sayings())
READ = {topic for topics in reads().values() for topic in topics}
WRITTEN = {topic for topics in writes().values() for topic in topics}
OUTSIDE = {"producers", "consumers"}
"""Words of the drawing that are no service and no topic."""
UNDRAWN = {*INLETS, RECORDS_DEAD}
"""Side doors, which would only crowd the drawing."""
ATTRIBUTE = re.compile(r"ce_[a-z0-9]{1,20}")
"""CloudEvents 1.0, section 3.1, under the prefix of its Kafka binding."""
OTHER = re.compile(r"(__)?[a-z]+([.-][a-z]+)*")


def test_services_are_the_ones_that_can_be_started() -> None:
    assert SERVICES == NAMES == tuple(core.name for core in CORES)


class TestEveryType:
    def test_is_said_once(self) -> None:
        assert len(set(TYPES)) == len(TYPES)

    def test_is_an_event_or_data_that_is_declared(self) -> None:
        declared = {value for name, value in vars(data).items() if name.endswith("_V1")}
        assert set(TYPES) == {*CATALOGUE, *declared, ROWS_OFFERED}

    def test_is_said_by_a_service(self) -> None:
        assert all(saying.writers and set(saying.writers) <= set(SERVICES) for saying in sayings())


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
class TestEveryTopic:
    def test_is_written_by_a_service(self, topic: Topic) -> None:
        """Inlets too: what is scored over HTTP goes the way of all rows."""
        assert topic in WRITTEN

    def test_is_read_by_a_service_or_is_an_outlet(self, topic: Topic) -> None:
        assert (topic in READ) != (topic in OUTLETS)


def test_nobody_declares_a_topic_without_saying_how_long_it_keeps_what_it_holds() -> None:
    [retention] = (each for each in fields(Topic) if each.name == "retention")
    assert retention.default is MISSING


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_names_the_topics_that_it_is_said_to_read_and_write(service: str) -> None:
    said = {*reads()[service], *writes()[service]}
    assert named_topics(service) | {RECORDS_DEAD} == said, "letters about failures are written for all alike"


class TestTheDrawing:
    def test_has_every_service(self) -> None:
        assert set(SERVICES) <= drawing().words

    def test_has_every_topic_of_the_main_way(self) -> None:
        assert {topic.name for topic in TOPICS if topic not in UNDRAWN} <= drawing().words

    def test_has_nothing_else(self) -> None:
        assert drawing().words <= {*SERVICES, *(topic.name for topic in TOPICS), *OUTSIDE}

    def test_draws_arrows_the_way_that_messages_go(self) -> None:
        received = {(topic.name, service) for service, topics in reads().items() for topic in topics}
        sent = {(service, topic.name) for service, topics in writes().items() for topic in topics}
        outside = {("producers", "ingestion"), *((topic.name, "consumers") for topic in OUTLETS)}
        assert len(drawing().arrows) > 10
        assert drawing().arrows <= received | sent | outside


@pytest.mark.parametrize("kind", stored()["components"]["messages"])
def test_headers_are_named_as_cloudevents_and_kafka_tools_expect(kind: str) -> None:
    for name in header_names(kind):
        assert (ATTRIBUTE if name.startswith("ce_") else OTHER).fullmatch(name), name
