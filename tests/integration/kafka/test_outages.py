"""What happens to the library, and to us, when the broker stops answering. The broker is this module's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Thread
from typing import Any

import pytest
from kafka.errors import KafkaError, KafkaTimeoutError

from shared.adapters.kafka import Connection, KafkaLog
from shared.adapters.kafka.clients import discard_producer
from shared.adapters.kafka.window import Window
from shared.adapters.memory import TopicSettings
from shared.runtime.ports import Indefinite, LogError
from tests.integration.broker import Broker
from tests.integration.kafka import stock
from tests.integration.kafka.cluster import KafkaCluster, cluster
from tests.integration.kafka.proxy import END_TXN, Proxy
from tests.waiting import until

IMPATIENT = {"request_timeout_ms": 3_000, "delivery_timeout_ms": 4_000}


@pytest.fixture
def real(own_broker: Broker) -> Iterator[KafkaCluster]:
    with cluster(own_broker.address, {"out": TopicSettings(1)}) as started:
        yield started


@pytest.fixture
def out(real: KafkaCluster) -> str:
    return real.connection.wire_name("out")


def failed(future: Any) -> bool:
    try:
        future.get(60)
    except KafkaError:
        return True
    return False


# K1: a transaction without one of its records


def test_stock_commits_a_transaction_that_lost_a_record(own_broker: Broker, out: str) -> None:
    with stock.transactional(own_broker.address, out, **IMPATIENT) as producer:
        producer.begin_transaction()
        producer.send(out, b"arrived", partition=0).get(60)
        with own_broker.paused():
            under_way = producer.send(out, b"lost 0", partition=0)
            until(producer._sender._client.in_flight_request_count)
            queued = producer.send(out, b"lost 1", partition=0)
            assert failed(under_way)
            assert failed(queued)
        producer.commit_transaction()
    assert b"lost 1" not in stock.visible(own_broker.address, out)
    assert b"arrived" in stock.visible(own_broker.address, out)


def test_a_transaction_that_lost_a_message_is_not_committed(own_broker: Broker, real: KafkaCluster) -> None:
    with closing(KafkaLog(real.connection, transaction=4_000)) as log:
        producer = log.producer("x")
        producer.begin()
        producer.append("out", 0, "p", b"arrived", {})
        producer.settle()
        with own_broker.paused():
            producer.append("out", 0, "p", b"lost 0", {})
            producer.append("out", 0, "p", b"lost 1", {})
            with pytest.raises(Indefinite):
                producer.commit()
        with pytest.raises(Indefinite):
            producer.begin()
        log.producer("x")
        assert log.read("out", 0, 0, 10) == []


# K6: what waits to be sent


def test_stock_takes_whatever_it_is_given(own_broker: Broker, out: str) -> None:
    with stock.producer(own_broker.address, max_block_ms=60_000) as producer:
        producer.send(out, b"first", partition=0).get(60)
        with own_broker.paused():
            for _ in range(100):
                producer.send(out, b"x" * 500_000, partition=0)
            assert len(list(producer._accumulator._incomplete.all())) >= 100


def test_we_wait_before_we_hold_too_much(own_broker: Broker, out: str) -> None:
    given: list[int] = []
    with stock.producer(own_broker.address) as producer:
        producer.send(out, b"first", partition=0).get(60)
        window = Window(2_000_000, 120)

        def give() -> None:
            for number in range(100):
                window.add(producer.send(out, b"x" * 500_000, partition=0), 500_000)
                given.append(number)
            window.settle()

        giver = Thread(target=give, daemon=True)
        with own_broker.paused():
            giver.start()
            until(lambda: len(given) == 4)
            giver.join(0.5)
            assert len(given) == 4
        giver.join(300)
        assert len(given) == 100


# K7: closing


def test_stock_delivers_after_a_close_that_failed(own_broker: Broker, out: str) -> None:
    with stock.producer(own_broker.address) as producer:
        producer.send(out, b"first", partition=0).get(60)
        with own_broker.paused():
            give_up(producer, out, lambda: _close(producer))
        until(lambda: b"queued" in stock.visible(own_broker.address, out))


def test_nothing_is_delivered_after_we_discard_a_producer(own_broker: Broker, out: str) -> None:
    with stock.producer(own_broker.address) as producer:
        producer.send(out, b"first", partition=0).get(60)
        with own_broker.paused():
            give_up(producer, out, lambda: discard_producer(producer))
            assert not producer._sender.is_alive()
        until(lambda: b"under way" in stock.visible(own_broker.address, out))
        assert b"queued" not in stock.visible(own_broker.address, out)


def give_up(producer: Any, topic: str, end: Callable[[], None]) -> None:
    """With one record on its way to a broker that doesn't answer, and another behind it."""
    producer.send(topic, b"under way", partition=0)
    until(producer._sender._client.in_flight_request_count)
    producer.send(topic, b"queued", partition=0)
    end()


# A commit whose answer is lost, and whose first copy arrives in the next transaction


@pytest.fixture
def network(own_broker: Broker) -> Iterator[Proxy]:
    proxy = Proxy(own_broker.proxied, own_broker.hidden)
    yield proxy
    proxy.cut()


def test_stock_has_its_next_transaction_ended_by_a_late_copy(own_broker: Broker, network: Proxy, out: str) -> None:
    with stock.transactional(f"localhost:{own_broker.proxied}", out) as producer:
        producer.begin_transaction()
        producer.send(out, b"first", partition=0).get(60)
        network.keep_next(END_TXN)
        producer.commit_transaction()
        producer.begin_transaction()
        producer.send(out, b"not committed by anybody", partition=0).get(60)
        network.deliver()
        until(lambda: b"not committed by anybody" in stock.visible(own_broker.address, out))


def test_no_transaction_of_ours_follows_a_lost_answer(
    own_broker: Broker, real: KafkaCluster, network: Proxy, out: str
) -> None:
    connection = Connection(f"localhost:{own_broker.proxied}", prefix=real.connection.prefix)
    with closing(KafkaLog(connection)) as log:
        producer = log.producer("x")
        producer.begin()
        producer.append("out", 0, "p", b"first", {})
        network.keep_next(END_TXN)
        producer.commit()
        with pytest.raises(Indefinite, match="lost a connection"):
            producer.begin()
        following = log.producer("x")
        following.begin()
        following.append("out", 0, "p", b"open", {})
        following.settle()
        network.deliver()
        assert stock.visible(own_broker.address, out) == [b"first"]
        following.commit()
        until(lambda: stock.visible(own_broker.address, out) == [b"first", b"open"])


# Calls without a time-out


def test_a_commit_that_is_never_answered_is_noticed(own_broker: Broker, real: KafkaCluster, network: Proxy) -> None:
    told: list[str] = []
    connection = Connection(f"localhost:{own_broker.proxied}", prefix=real.connection.prefix)
    with closing(KafkaLog(connection, watched=0.5, overrun=told.append)) as log:
        producer = log.producer("x")
        producer.begin()
        producer.append("out", 0, "p", b"a", {})
        producer.settle()
        network.cut()
        Thread(target=_ignoring_errors, args=(producer.commit,), daemon=True).start()
        # A busy machine may have taken longer for what came before, too.
        until(lambda: "commit a transaction of 'x'" in told)


def test_a_process_that_waits_for_ever_ends_with_status_70() -> None:
    waiting = (
        "from time import sleep\n"
        "from shared.adapters.kafka.watchdog import Watchdog\n"
        "with Watchdog(0.2).over('wait'):\n"
        "    sleep(60)\n"
    )
    assert subprocess.run([sys.executable, "-c", waiting], timeout=120, check=False).returncode == 70


# Topics that nobody declared


def test_stock_creates_a_topic_although_it_was_told_not_to(own_broker: Broker, real: KafkaCluster) -> None:
    name = real.connection.wire_name("typo")
    with stock.consumer(own_broker.address, allow_auto_create_topics=False) as client:
        client.subscribe([name])
        until(lambda: name in real.client.list_topics())


def test_no_topic_of_ours_comes_into_being_by_a_typing_mistake(real: KafkaCluster) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: real.log.read("slip", 0, 0, 1),
        lambda: real.log.append("slip", 0, "p", b"", {}),
        lambda: real.log.follow([("slip", 0)]),
        lambda: real.groups.join("readers", "one", ("slip",)),
    ]
    for attempt in attempts:
        with pytest.raises(LogError, match="declare the topic"):
            attempt()
    assert real.connection.wire_name("slip") not in real.client.list_topics()


def _close(producer: Any) -> None:
    with pytest.raises(KafkaTimeoutError):
        producer.close(timeout=0.5)
    assert producer._sender.is_alive()


def _ignoring_errors(call: Callable[[], None]) -> None:
    try:
        call()
    except LogError:
        return
