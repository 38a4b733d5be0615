"""Hosts for tests: in a thread of the test, or as a process of their own that can be killed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.adapters.faust import FaustHost, Timing
from shared.adapters.files import FileBlobs
from shared.adapters.kafka.connection import Connection
from shared.events.letters import set_aside
from shared.runtime.blobs import BlobReader
from tests.integration.faust.toy import Toy, World

QUICK = Timing(session=3.0, rebalance=20.0, patience=30.0, stop=10.0)


def toy_host(connection: Connection, blobs: Path, core: Toy | None = None, **more: Any) -> FaustHost:
    """For a thread: where a process would end, an error ends the test."""
    settings = {"timing": QUICK, "end": _complain, **more}
    return FaustHost(core or Toy(), connection, BlobReader(FileBlobs(blobs)), set_aside("toy"), **settings)


def _complain(code: int) -> None:
    raise AssertionError(f"the process would have ended with {code}")


@contextmanager
def in_thread(host: FaustHost) -> Iterator[FaustHost]:
    """Stops in order at the end, with exit code 0."""
    stop = threading.Event()
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(host.run(stop.is_set)), daemon=True)
    thread.start()
    try:
        yield host
    finally:
        stop.set()
        thread.join(30)
    assert codes == [0]


@dataclass
class Process:
    """A toy host in a process of its own; its log is kept for the assertion that fails."""

    world: World
    folder: Path
    patience: float = QUICK.patience
    name: str = "host"
    running: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> Process:
        connection = self.world.connection
        arguments = [connection.bootstrap, connection.prefix, str(self.folder / "blobs"), str(self.patience)]
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "tests.integration.faust.hosting", *arguments]
            self.running = subprocess.Popen(command, stdout=log, stderr=log)
        return self

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def signal(self, number: int) -> None:
        assert self.running is not None
        self.running.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.ended()

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Waits for the end; returns the exit code."""
        assert self.running is not None
        return self.running.wait(60)

    def alive(self) -> bool:
        return self.running is not None and self.running.poll() is None


def main(bootstrap: str, prefix: str, blobs: str, patience: str) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    timing = Timing(session=QUICK.session, rebalance=QUICK.rebalance, patience=float(patience), stop=QUICK.stop)
    return toy_host(Connection(bootstrap, prefix), Path(blobs), timing=timing, end=os._exit).run(stop.is_set)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
