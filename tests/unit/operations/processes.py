"""`subject` as a real process, with its log lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

PATIENCE = 20.0
ROOT = Path(__file__).parents[3]


class Process:
    """A running subject. ``lines``: what it has logged; ``text``: all that it has written."""

    def __init__(self, manner: str, settings: dict[str, str]) -> None:
        command = [sys.executable, "-m", "tests.unit.operations.subject", manner]
        environment = {**os.environ, "DRIFTLOOP_OPERATIONS_HOST": "127.0.0.1", "DRIFTLOOP_OPERATIONS_PORT": "0"}
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment | settings, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.lines: list[dict[str, Any]] = []
        self.text = ""
        self._news: Queue[str | None] = Queue()
        Thread(target=self._listen, daemon=True).start()

    def logged(self, beginning: str) -> dict[str, Any]:
        """The line whose message begins like this, once it is there."""
        while True:
            for line in self.lines:
                if line["message"].startswith(beginning):
                    return line
            if not self._hear():
                raise AssertionError(f"ended without saying {beginning!r}:\n{self.text}")

    def get(self, path: str) -> tuple[int, str]:
        port = self.logged("starting")["port"]
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def code(self) -> int:
        """How it ended."""
        while self._hear():
            pass
        return self._process.wait(PATIENCE)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)

    def _hear(self) -> bool:
        line = self._news.get(timeout=PATIENCE)
        if line is not None:
            self.text += line
            if line.startswith("{"):
                self.lines.append(json.loads(line))
        return line is not None

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._news.put(line)
        self._news.put(None)


@contextmanager
def running(manner: str, **settings: float) -> Iterator[Process]:
    """``settings``: of `OperationsSettings`."""
    process = Process(manner, {f"DRIFTLOOP_OPERATIONS_{name.upper()}": str(value) for name, value in settings.items()})
    try:
        yield process
    finally:
        process.kill()
