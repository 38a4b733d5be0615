"""A Redis server in a container, and ways to do it harm."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Thread
from typing import TypeVar

import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from shared.access.stores import StoreDown
from shared.adapters.redis.client import Cache
from tests.integration.broker import require_docker
from tests.ports import free_port
from tests.waiting import until

Answer = TypeVar("Answer")

IMAGE = "redis:7-alpine"
LIFETIME = 3_600
"""Seconds after which the server ends by itself, should the tests be killed."""
REST = 0.2
PATIENT = 5.0
"""Seconds to wait for a reply where it isn't the waiting that is tested: a busy machine takes its time."""


class Server(DockerContainer):
    """One Redis, on a port that stays its own when it is started again."""

    def __init__(self) -> None:
        super().__init__(IMAGE)
        self.port = free_port()
        self.with_bind_ports(6379, self.port)
        options = ["--save", "", "--appendonly", "no", "--protected-mode", "no"]
        self.with_command(["timeout", str(LIFETIME), "redis-server", *options])

    @property
    def url(self) -> str:
        return f"redis://localhost:{self.port}/0"

    def stop_serving(self) -> None:
        self.get_wrapped_container().stop(timeout=1)

    def serve_again(self) -> None:
        self.get_wrapped_container().start()
        answering(self.url)


class LossyWay:
    """A way to the server on which replies get lost: the server has done what it was asked."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listener = socket.create_server(("localhost", 0))
        self._lossy: list[Event] = []
        self.url = f"redis://localhost:{self._listener.getsockname()[1]}/0"
        Thread(target=self._accept, daemon=True).start()

    def lose(self) -> None:
        """Replies on the connections that are there. New ones work, or nobody could ask a second time."""
        for connection in self._lossy:
            connection.set()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("localhost", self._server.port))
                lossy, never = Event(), Event()
                self._lossy.append(lossy)
                Thread(target=_carry, args=(near, far, never), daemon=True).start()
                Thread(target=_carry, args=(far, near, lossy), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket, lossy: Event) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if not lossy.is_set():
                target.sendall(data)
    target.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require_docker()
    # Its reaper would need an image of its own; the server ends by itself.
    before, testcontainers_config.ryuk_disabled = testcontainers_config.ryuk_disabled, True
    try:
        with Server() as started:
            answering(started.url)
            yield started
    finally:
        testcontainers_config.ryuk_disabled = before


@pytest.fixture
def cache(server: Server) -> Iterator[Cache]:
    """Empty at the start."""
    opened = Cache(server.url, patience=PATIENT, rest=REST)
    answering(server.url)
    opened.ask("FLUSHALL")
    yield opened
    opened.close()


def answering(url: str) -> None:
    """Returns when a server answers there."""
    probe = Cache(url, patience=PATIENT, rest=0.05)
    again(lambda: probe.ask("PING"))
    probe.close()


def again(what: Callable[[], Answer]) -> Answer:
    """Until the circuit lets it through."""
    answers: list[Answer] = []

    def tried() -> bool:
        with suppress(StoreDown):
            answers.append(what())
        return bool(answers)

    until(tried, "an answer of Redis")
    return answers[0]
