"""An ASGI application on a thread of its own, as a `Door`."""

from __future__ import annotations

import socket
from threading import Thread
from typing import TYPE_CHECKING, Any

from shared.operations.lifecycle import SOFTWARE, fail
from shared.operations.settings import SettingsError

if TYPE_CHECKING:
    import uvicorn

PENDING = 1024
"""Connections that the kernel holds for the server while it is busy."""


class WebDoor:
    """Open from `start` until `stop`; requests in flight may finish within the time that is left.

    A server that ends by itself ends the process: one that is up and takes nothing in would go unnoticed.
    """

    def __init__(self, application: Any, host: str, port: int) -> None:
        self._application = application
        self._host = host
        self.port = port
        """After `start` the one that was taken, where 0 was asked for."""
        self._thread = Thread(target=self._run, name="door", daemon=True)

    def start(self) -> None:
        """Returns when it listens; raises `SettingsError` where it can't."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._socket = socket.create_server((self._host, self.port), family=family, backlog=PENDING)
        except OSError as error:
            raise SettingsError(f"the HTTP door can't listen on {self._host}:{self.port}: {error.strerror}") from error
        # Without it, an answer in two pieces waits forty milliseconds for the acknowledgement of the first (RFC 896).
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = self._socket.getsockname()[1]
        self._server = _server(self._application)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        self._server.config.timeout_graceful_shutdown = max(1, int(seconds))
        self._server.should_exit = True
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            if not self._server.should_exit:
                fail("the HTTP server ended by itself", SOFTWARE)


def _server(application: Any) -> uvicorn.Server:
    """On a thread, uvicorn leaves the process's signal handlers alone."""
    import uvicorn

    config = uvicorn.Config(application, log_config=None, access_log=False, lifespan="off", server_header=False)
    return uvicorn.Server(config)
