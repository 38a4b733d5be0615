"""Hosts for tests: in a thread of the test, or as a process of their own that can be killed."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shared.adapters.faust import FaustHost, Timing
from shared.adapters.files import FileBlobs
from shared.adapters.kafka.connection import Connection
from shared.events.letters import set_aside
from shared.runtime.blobs import BlobReader
from tests.integration.faust.toy import Toy, World

CALM = Timing(stop=60.0)
"""As in operation: nobody loses partitions, so nothing is handled again, because the machine was busy for a while."""
QUICK = replace(CALM, session=3.0)
"""For hosts that are killed: their partitions are given to another soon."""


def toy_host(connection: Connection, blobs: Path, core: Toy | None = None, **more: Any) -> FaustHost:
    settings = {"timing": CALM, **more}
    return FaustHost(core or Toy(), connection, BlobReader(FileBlobs(blobs)), set_aside("toy"), **settings)


@contextmanager
def in_thread(host: FaustHost) -> Iterator[FaustHost]:
    """Stops in order at the end, with exit code 0. Where a process would have ended before, the test fails."""
    stop = threading.Event()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)  # what is raised in the watchdog's thread is heard by nobody
        raise AssertionError(f"the process would have ended with {code}")

    host._end = end
    thread = threading.Thread(target=lambda: codes.append(host.run(stop.is_set)), daemon=True)
    thread.start()
    try:
        yield host
    finally:
        stop.set()
        thread.join(120)
    assert codes == [0], f"exit codes: {codes}"


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
        return self.running.wait(300)

    def alive(self) -> bool:
        return self.running is not None and self.running.poll() is None

    def kept_alive(self) -> Process:
        """As by a supervisor: a host ends itself when it was fenced, or when starting took longer than its patience."""
        return self if self.alive() else self.start()


def main(bootstrap: str, prefix: str, blobs: str, patience: str) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    timing = replace(QUICK, patience=float(patience))
    return toy_host(Connection(bootstrap, prefix), Path(blobs), timing=timing).run(stop.is_set)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
