"""A Kafka broker in a container: one that all tests share, and one of its own for a test that does it harm.

The shared one is started by whoever needs it first and removed by whoever leaves last, over all processes of a test run
(pytest-xdist): they meet in a file beside their temporary folders. Should all of them be killed, the container ends by
itself and is removed by the engine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.ports import free_port

IMAGE = "apache/kafka:4.1.0"
LIFETIME = 7_200
"""Seconds after which a broker ends by itself."""
# What a broker does in the background happens within a second here, so that tests can wait for it.
SETTINGS = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
    "KAFKA_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS": "200",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
    "KAFKA_LOG_INITIAL_TASK_DELAY_MS": "500",
    "KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS": "300",
    "KAFKA_LOG_CLEANER_BACKOFF_MS": "200",
    "KAFKA_HEAP_OPTS": "-Xms256m -Xmx512m",
}


class Broker(DockerContainer):
    """One broker that is its own controller. Its ports are chosen beforehand: it has to tell clients its address.

    Clients that begin at ``proxied`` are told to stay there: a test may listen on that port and pass on to ``hidden``.
    """

    def __init__(self, **settings: str) -> None:
        super().__init__(IMAGE)
        port, self.hidden, self.proxied = free_port(), free_port(), free_port()
        self.address = f"localhost:{port}"
        self.with_bind_ports(port, port)
        self.with_bind_ports(self.hidden, self.hidden)
        self.with_envs(**SETTINGS | settings)
        self.with_env("KAFKA_LISTENERS", f"PLAINTEXT://:{port},PROXIED://:{self.hidden},CONTROLLER://:9093")
        advertised = f"PLAINTEXT://localhost:{port},PROXIED://localhost:{self.proxied}"
        self.with_env("KAFKA_ADVERTISED_LISTENERS", advertised)
        self.with_command(["timeout", str(LIFETIME), "/etc/kafka/docker/run"])
        self.with_kwargs(auto_remove=True)
        self.waiting_for(LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(300))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Neither answers nor closes a connection: what a long garbage collection or a lost network looks like."""
        self.get_wrapped_container().pause()
        try:
            yield
        finally:
            self.get_wrapped_container().unpause()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the shared broker: use names of your own, and do it no harm."""
    require_docker()
    own = tmp_path_factory.getbasetemp()
    with _shared(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) as address:
        yield address


@pytest.fixture(scope="module")
def own_broker() -> Iterator[Broker]:
    """A module's own broker, which may be paused. It is a careless one: it creates topics that it is asked for."""
    require_docker()
    with _without_reaper(), Broker(KAFKA_AUTO_CREATE_TOPICS_ENABLE="true") as started:
        yield started


def require_docker() -> None:
    """Where tests have to run, nothing is skipped."""
    try:
        docker.from_env().ping()
    except DockerException as error:
        if os.environ.get("CI"):
            pytest.fail(f"these tests need Docker, and CI is set: {error}")
        pytest.skip(f"needs a Docker engine: {error}")


@contextmanager
def _shared(folder: Path) -> Iterator[str]:
    with _noted(folder) as note:
        if not note.get("users"):
            with _without_reaper():
                started = Broker().start()
            note |= {"users": 0, "address": started.address, "container": started.get_container_id()}
        note["users"] += 1
        address, container = note["address"], note["container"]
    try:
        yield address
    finally:
        with _noted(folder) as note:
            note["users"] -= 1
            if not note["users"]:
                docker.from_env().containers.get(container).remove(force=True, v=True)


@contextmanager
def _noted(folder: Path) -> Iterator[dict[str, Any]]:
    """What the processes of a test run know in common; one at a time looks at it and changes it."""
    path = folder / "broker.json"
    with (folder / "broker.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        note = json.loads(path.read_text()) if path.exists() else {}
        yield note
        path.write_text(json.dumps(note))


@contextmanager
def _without_reaper() -> Iterator[None]:
    """The reaper removes containers when the process that started them ends: here others may still use it."""
    before = testcontainers_config.ryuk_disabled
    testcontainers_config.ryuk_disabled = True
    try:
        yield
    finally:
        testcontainers_config.ryuk_disabled = before
