"""The six services as processes of this machine, over a real broker: started, watched, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from shared.adapters.kafka.connection import Connection
from shared.adapters.kafka.topics import WITH_STATES, Layout, create, snapshot_topic
from shared.events.topics import TOPICS
from tests.ports import free_port
from tests.waiting import PATIENCE, until

PARTITIONS = 2
SERVICES = ("ingestion", "validation", "prediction", "drift_detection", "training", "deployment")


@dataclass
class Member:
    """One process. Its log goes to a file, so that a failing test can show it."""

    name: str
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return int(self.environment["DRIFTLOOP_OPERATIONS_PORT"])

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "services", self.name]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Ends it and waits for the end; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"
        return answers(f"http://127.0.0.1:{self.port}/readyz")

    def metrics(self) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as response:
            return str(response.read().decode())

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as response:
            return int(response.status) == 200
    except (URLError, OSError):
        return False


@dataclass
class Fleet:
    """Members by name; replicas carry a number behind a dash."""

    members: dict[str, Member] = field(default_factory=dict)
    ingestion_url: str = ""
    prediction_url: str = ""

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def wait_until_ready(self) -> None:
        for member in self.members.values():
            until(member.ready, f"{member.name} is ready, see {member.log}")


@contextmanager
def fleet(
    bootstrap: str,
    folder: Path,
    *,
    prefix: str,
    redis: str = "redis://127.0.0.1:1/0",
    names: Sequence[str] = SERVICES,
    settings: dict[str, str] | None = None,
) -> Iterator[Fleet]:
    """All of them over topics of their own, ready; ended in order at the end."""
    topics = (*TOPICS, *(snapshot_topic(core) for core in WITH_STATES))
    create(Connection(bootstrap, prefix), topics, Layout(partitions=PARTITIONS))
    ingestion, prediction = free_port(), free_port()
    common = {
        **os.environ,
        "DRIFTLOOP_KAFKA_BOOTSTRAP": bootstrap,
        "DRIFTLOOP_KAFKA_PREFIX": prefix,
        "DRIFTLOOP_REDIS_URL": redis,
        "DRIFTLOOP_BLOBS_FOLDER": str(folder / "blobs"),
        "DRIFTLOOP_OPERATIONS_HOST": "127.0.0.1",
        "DRIFTLOOP_INGESTION_PORT": str(ingestion),
        "DRIFTLOOP_PREDICTION_PORT": str(prediction),
        "OMP_NUM_THREADS": "1",
        **(settings or {}),
    }
    some = Fleet(ingestion_url=f"http://127.0.0.1:{ingestion}", prediction_url=f"http://127.0.0.1:{prediction}")
    for name in names:
        environment = {**common, "DRIFTLOOP_OPERATIONS_PORT": str(free_port())}
        some.members[name] = Member(name.partition("-")[0], environment, folder / f"{name}.log")
    try:
        for member in some.members.values():
            member.start()
        some.wait_until_ready()
        yield some
    finally:
        for member in some.members.values():
            if member.process is not None and member.process.poll() is None:
                member.kill(signal.SIGTERM)
