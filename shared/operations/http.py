"""/livez, /readyz and /metrics: a small server on a thread of its own, so that they answer whatever the loop does."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST

from shared.operations.health import Health, Verdict
from shared.operations.metrics import Metrics
from shared.operations.settings import SettingsError

PATIENCE = 10.0
"""Seconds that a connection may say nothing: each has a thread."""
LOOK = 0.1
"""Seconds until the server notices that it is closed."""


class OperationsServer:
    """Listens from the moment it is made; raises `SettingsError` where it can't. ``port`` 0 takes any that is free."""

    def __init__(self, host: str, port: int, health: Health, metrics: Metrics) -> None:
        try:
            self._server = _Server((host, port), _handler(health, metrics))
        except OSError as error:
            raise SettingsError(
                f"DRIFTLOOP_OPERATIONS_PORT: can't listen on {host}:{port}: {error.strerror}"
            ) from error
        self.port = int(self._server.server_address[1])
        Thread(target=self._server.serve_forever, args=(LOOK,), name="operations", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """The library's own looks its address up in the DNS, which can hang, for a name that nobody asks for."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


def _handler(health: Health, metrics: Metrics) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, metrics.text())
            elif path in ("/livez", "/readyz"):
                self._judge(health.live() if path == "/livez" else health.ready())
            else:
                self._answer(404, "text/plain", b"there is /livez, /readyz and /metrics\n")

        def log_message(self, format: str, *args: object) -> None:
            """Asked every few seconds by machines: not worth a line."""

        def _judge(self, verdict: Verdict) -> None:
            good, reason = verdict
            self._answer(200 if good else 503, "application/json", json.dumps({"ok": good, "reason": reason}).encode())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
