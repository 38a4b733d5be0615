"""What every service tells of its messages; and a number that can't be told harms nothing."""

from __future__ import annotations

import logging

import pytest

from shared.adapters.memory import MemoryLog, TopicSettings
from shared.events.letters import set_aside
from shared.operations.lag import Lag
from shared.operations.metrics import Metrics
from shared.operations.observing import Flow
from shared.runtime.core import Append, Message, Unit
from shared.runtime.ports import Indefinite
from tests.contracts.examples import event_of
from tests.unit.operations.numbers import heard, number

PLANT = "bottling-plant"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def test_messages_are_counted_by_topic_and_aged_by_the_log(metrics: Metrics) -> None:
    flow = Flow(metrics, lambda: 1004.0)
    flow.seen(Message("labels", 0, 0, 1_000_000, PLANT, b""))
    flow.seen(Message("labels", 0, 1, 9_000_000, PLANT, b""))
    flow.said(Append("predictions", Unit(PLANT), b""))
    assert number(metrics, "messages_read_total", topic="labels") == 2
    assert number(metrics, "event_age_seconds_sum", topic="labels") == 4.0
    assert number(metrics, "messages_written_total", topic="predictions") == 1


def test_what_was_set_aside_is_counted_and_told(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    letter = set_aside("validation")(Unit(PLANT), Message("records.ingested", 0, 7, 0, PLANT, b"row"), KeyError("row"))
    assert isinstance(letter, Append)
    flow = Flow(metrics)
    flow.moved(Unit(PLANT), None)
    flow.said(letter)
    assert number(metrics, "messages_set_aside_total", topic="records.ingested") == 1
    assert number(metrics, "dead_letters_total", pipeline=PLANT, reason="handler-failed") == 1
    assert "KeyError" in caplog.text


def test_a_decision_is_a_line_with_its_episode(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "shared.operations.observing")
    message = heard("ledger", event_of("driftloop.drift.detected.v1/losses"))
    headers = {**message.headers, "ce_correlationid": "e1"}
    Flow(metrics).said(Append("ledger", Unit(PLANT), message.value, headers))
    (record,) = caplog.records
    assert record.getMessage() == "said driftloop.drift.detected.v1"
    assert (vars(record)["pipeline"], vars(record)["correlation"]) == (PLANT, "e1")


class Clumsy(Flow):
    def read(self, message: Message) -> None:
        if message.value == b"bad":
            raise KeyError(message.key)
        if message.value == b"worse":
            raise KeyError(message.offset)
        self.metrics.rows_accepted.labels(message.key).inc()


def test_a_number_that_can_not_be_told_is_passed_over_and_told_once(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    flow = Clumsy(metrics)
    for offset, value in enumerate((b"bad", b"", b"bad", b"worse", b"")):
        flow.seen(Message("labels", 0, offset, 0, PLANT, value))
    assert number(metrics, "messages_read_total", topic="labels") == 5
    assert number(metrics, "rows_accepted_total", pipeline=PLANT) == 2
    assert len(caplog.records) == 2, "each place that fails, once"


class TestLag:
    def test_is_what_lies_between_the_positions_and_the_end(self, metrics: Metrics) -> None:
        log = MemoryLog(lambda: 0)
        log.create("labels", TopicSettings(2))
        for partition in (0, 0, 0, 1):
            log.append("labels", partition, PLANT, b"", {})
        lag = Lag(lambda: {("labels", 0): 1, ("labels", 1): 0}, log, metrics)
        assert not lag.turn()
        assert number(metrics, "lag_messages", topic="labels") == 3

    def test_is_not_worth_an_error(self, metrics: Metrics) -> None:
        class Silent(MemoryLog):
            def end_offset(self, topic: str, partition: int) -> int:
                raise Indefinite("no answer")

        assert not Lag(lambda: {("labels", 0): 1}, Silent(lambda: 0), metrics).turn()
