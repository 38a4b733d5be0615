"""A Redis server in a container, and ways to do it harm."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Event, Thread
from time import monotonic

import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from shared.access.stores import StoreDown
from shared.adapters.redis.client import Cache
from tests.integration.broker import require_docker

IMAGE = "redis:7-alpine"
LIFETIME = 900
"""Seconds after which the server ends by itself, should the tests be killed."""
REST = 0.2
POLL = Event()
"""Never set: its ``wait`` is a pause between two looks."""


class Server(DockerContainer):
    """One Redis, on a port that stays its own when it is started again."""

    def __init__(self) -> None:
        super().__init__(IMAGE)
        self.port = _free_port()
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
    """A way to the server on which replies are lost while ``losing``: the server has done what it was asked."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listener = socket.create_server(("localhost", 0))
        self.losing = Event()
        self.url = f"redis://localhost:{self._listener.getsockname()[1]}/0"
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("localhost", self._server.port))
                Thread(target=self._carry, args=(near, far, False), daemon=True).start()
                Thread(target=self._carry, args=(far, near, True), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, replies: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not (replies and self.losing.is_set()):
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
    opened = Cache(server.url, rest=REST)
    answering(server.url)
    opened.ask("FLUSHALL")
    yield opened
    opened.close()


def answering(url: str, seconds: float = 30) -> None:
    """Returns when a server answers there."""
    deadline = monotonic() + seconds
    probe = Cache(url, rest=0.05)
    while True:
        try:
            probe.ask("PING")
            break
        except StoreDown:
            assert monotonic() < deadline, f"no Redis answered at {url}"
            POLL.wait(0.05)
    probe.close()


def _free_port() -> int:
    with socket.create_server(("localhost", 0)) as listener:
        return int(listener.getsockname()[1])
