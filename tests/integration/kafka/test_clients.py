"""What the library's clients are told and what becomes of their errors. No broker is needed."""

from __future__ import annotations

import logging

import pytest
from kafka import errors as kafka

from shared.adapters.kafka import Connection, KafkaLog, Security
from shared.adapters.kafka.errors import translated
from shared.adapters.kafka.headers import from_wire, to_wire
from shared.runtime.ports import Fenced, Indefinite, LogError, MessageTooLarge, OffsetOutOfRange, Unsettled


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (kafka.ProducerFencedError(), Fenced),
        (kafka.CommitFailedError(), Fenced),
        (kafka.MessageSizeTooLargeError(), MessageTooLarge),
        (kafka.OffsetOutOfRangeError(), OffsetOutOfRange),
        (kafka.UnstableOffsetCommitError(), Unsettled),
        (kafka.KafkaTimeoutError(), Indefinite),
        (kafka.CorruptRecordError(), LogError),
        (kafka.TopicAuthorizationFailedError(), LogError),
    ],
)
def test_an_error_says_what_was_tried_and_what_it_means(error: Exception, meaning: type[LogError]) -> None:
    told = translated(error, "append to ledger/3")
    assert type(told) is meaning
    assert str(told).startswith("append to ledger/3: ")
    assert type(error).__name__ in str(told)


def test_what_brought_a_producer_into_its_error_state_counts() -> None:
    wrapped = kafka.KafkaError("Cannot perform send because of", kafka.ProducerFencedError())
    assert type(translated(wrapped, "send")) is Fenced


def test_a_long_text_of_the_library_is_cut() -> None:
    assert len(str(translated(kafka.UnknownError("x" * 10_000), "ask"))) < 500


def test_a_broker_that_is_not_there_is_a_log_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.adapters.kafka.clients._ALL", {"bootstrap_timeout_ms": 200})
    with pytest.raises(LogError, match="connect to localhost:1"):
        KafkaLog(Connection("localhost:1")).partitions("ledger")


def test_the_library_cannot_log_records_and_passwords(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("shared.adapters.kafka.clients._ALL", {"bootstrap_timeout_ms": 200})
    logging.getLogger("kafka").setLevel(logging.DEBUG)
    secret = Connection("localhost:1", security=Security("SASL_PLAINTEXT", "PLAIN", "user", "pass-word"))
    with pytest.raises(LogError):
        KafkaLog(secret).partitions("ledger")
    assert "pass-word" not in caplog.text
    assert "pass-word" not in repr(secret)


def test_names_on_the_wire_carry_the_prefix_and_foreign_ones_do_not() -> None:
    connection = Connection("b:9092", prefix="plant")
    assert connection.wire_name("records.ingested") == "plant.records.ingested.v1"
    assert connection.wire_name("=orders") == "orders"
    assert connection.own_name("validation") == "plant.validation"


@pytest.mark.parametrize(
    ("ours", "wire"), [("=shop.orders", b"shop.orders"), ("=labels", b"labels"), ("labels", b"plant.labels.v1")]
)
def test_a_letter_names_its_origin_as_the_broker_does_and_is_read_with_our_name_for_it(ours: str, wire: bytes) -> None:
    connection = Connection("b:9092", prefix="plant")
    headers = {"__connect.errors.topic": ours, "driftloop.reason": ours}
    sent = to_wire(headers, connection.wire_name)
    assert dict(sent) == {"__connect.errors.topic": wire, "driftloop.reason": ours.encode()}
    assert from_wire(sent, connection.logical_name) == headers
