"""Live is a loop that turns, ready is one that is open and stays; both are asked over HTTP, whatever the loop does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from shared.operations.health import Health
from shared.operations.http import OperationsServer
from shared.operations.metrics import Metrics
from shared.operations.settings import SettingsError


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(10, clock)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def server(health: Health, metrics: Metrics) -> Iterator[OperationsServer]:
    with closing(OperationsServer("127.0.0.1", 0, health, metrics)) as server:
        yield server


def asked(server: OperationsServer, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def reason(server: OperationsServer, path: str) -> tuple[int, str]:
    status, body = asked(server, path)
    return status, json.loads(body)["reason"]


def test_a_loop_that_turns_is_live(health: Health, clock: Clock) -> None:
    clock.now = 9
    health.beat()
    clock.now = 19
    assert health.live() == (True, "turning")
    clock.now = 20
    assert health.live() == (False, "no turn of the loop for 11 s")


def test_ready_is_what_is_open(health: Health) -> None:
    assert health.ready() == (False, "starting")
    health.opened()
    assert health.ready() == (True, "ready")
    health.closed("Fenced: another one")
    assert health.ready() == (False, "Fenced: another one")


def test_what_else_is_waited_for_is_told_once_the_loop_is_open(health: Health) -> None:
    waits = ["models"]
    health.await_too(lambda: ", ".join(waits))
    assert health.ready() == (False, "starting")
    health.opened()
    assert health.ready() == (False, "models")
    waits.clear()
    assert health.ready() == (True, "ready")


def test_who_stops_gets_ready_no_more(health: Health) -> None:
    health.stopping()
    health.opened()
    assert health.ready() == (False, "stopping")


def test_both_are_told_over_http(server: OperationsServer, health: Health, clock: Clock) -> None:
    assert reason(server, "/livez") == (200, "turning")
    assert reason(server, "/readyz") == (503, "starting")
    health.opened()
    clock.now = 11
    assert reason(server, "/readyz") == (200, "ready")
    assert reason(server, "/livez") == (503, "no turn of the loop for 11 s")


def test_metrics_are_scraped(server: OperationsServer, metrics: Metrics) -> None:
    metrics.set_aside.labels("labels").inc()
    status, text = asked(server, "/metrics?collect=all")
    assert status == 200
    assert 'driftloop_messages_set_aside_total{topic="labels"} 1.0' in text


def test_other_paths_say_what_there_is(server: OperationsServer) -> None:
    assert asked(server, "/") == (404, "there is /livez, /readyz and /metrics\n")


def test_a_taken_port_names_its_variable(server: OperationsServer, health: Health, metrics: Metrics) -> None:
    with pytest.raises(SettingsError, match=r"DRIFTLOOP_OPERATIONS_PORT: .*already in use"):
        OperationsServer("127.0.0.1", server.port, health, metrics)
