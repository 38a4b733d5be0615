"""An HTTP door opens on a port, lets requests in flight finish, and says where it can't open."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from shared.operations.lifecycle import SOFTWARE
from shared.operations.settings import SettingsError
from shared.operations.web import WebDoor

PATIENCE = 5.0


class Application:
    """Answers "/slow" when it is let."""

    def __init__(self) -> None:
        self.began, self.let = Event(), Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            self.began.set()
            await asyncio.to_thread(self.let.wait, PATIENCE)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def door(application: Application) -> Iterator[WebDoor]:
    door = WebDoor(application, "127.0.0.1", 0)
    door.start()
    yield door
    door.stop(PATIENCE)


def get(door: WebDoor, path: str) -> bytes:
    with urlopen(f"http://127.0.0.1:{door.port}{path}", timeout=PATIENCE) as answer:
        assert "Server" not in answer.headers
        body: bytes = answer.read()
        return body


def test_it_is_open_when_start_returns(door: WebDoor) -> None:
    assert door.port > 0
    assert get(door, "/quick") == b"/quick"


def test_requests_in_flight_finish_and_no_more_come_in(door: WebDoor, application: Application) -> None:
    answers: list[bytes] = []
    asking = Thread(target=lambda: answers.append(get(door, "/slow")))
    asking.start()
    assert application.began.wait(PATIENCE)
    stopping = Thread(target=door.stop, args=(PATIENCE,))
    stopping.start()
    application.let.set()
    stopping.join(PATIENCE)
    asking.join(PATIENCE)
    assert answers == [b"/slow"]
    with pytest.raises(URLError):
        get(door, "/quick")


def test_a_taken_port_is_named(door: WebDoor, application: Application) -> None:
    with pytest.raises(SettingsError, match=rf"can't listen on 127.0.0.1:{door.port}: Address already in use"):
        WebDoor(application, "127.0.0.1", door.port).start()


ABANDONED = """
import asyncio, contextlib, sys, threading, urllib.error, urllib.request
from shared.operations.web import WebDoor

async def application(scope, receive, send):
    asyncio.get_running_loop().call_soon(sys.exit)  # nothing catches this, neither asyncio nor uvicorn

door = WebDoor(application, "127.0.0.1", 0)
door.start()
with contextlib.suppress(urllib.error.URLError):  # whether an answer still comes is a matter of luck
    urllib.request.urlopen(f"http://127.0.0.1:{door.port}/", timeout=60)
threading.Event().wait(60)  # the main thread would be well: it's the door that ends the process
"""


def test_a_server_that_ends_by_itself_ends_the_process() -> None:
    ended = subprocess.run([sys.executable, "-c", ABANDONED], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == SOFTWARE
    assert "the HTTP server ended by itself" in ended.stderr
