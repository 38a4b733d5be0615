"""A network between clients and a broker that loses an answer, and delivers its request much later."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from threading import Event, Thread

END_TXN = 26
"""`EndTxn` in Kafka's list of requests."""


class Proxy:
    """Listens on one port and passes on to another, request by request."""

    def __init__(self, listen: int, forward: int) -> None:
        self._forward = forward
        self._open: list[socket.socket] = []
        self._kind: int | None = None
        self._kept: tuple[socket.socket, bytes] | None = None
        self._keeping, self._answered = Event(), Event()
        self._door = socket.create_server(("localhost", listen))
        Thread(target=self._accept, daemon=True).start()

    def keep_next(self, kind: int) -> None:
        """The next request of this kind goes no further, and its client sees the connection break. Once."""
        self._kind = kind

    def deliver(self) -> None:
        """What was kept arrives at last; its answer is read by nobody."""
        assert self._keeping.wait(60), "no such request came"
        assert self._kept is not None
        broker, request = self._kept
        broker.sendall(request)
        assert self._answered.wait(60), "the broker didn't answer it"

    def cut(self) -> None:
        """Every connection breaks, and no new one is made."""
        for each in (self._door, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                broker = socket.create_connection(("localhost", self._forward))
                self._open += [client, broker]
                Thread(target=self._requests, args=(client, broker), daemon=True).start()
                Thread(target=self._answers, args=(client, broker), daemon=True).start()

    def _requests(self, client: socket.socket, broker: socket.socket) -> None:
        with suppress(OSError, EOFError):
            while True:
                head = _exactly(client, 4)
                request = head + _exactly(client, struct.unpack(">i", head)[0])
                if struct.unpack(">h", request[4:6])[0] == self._kind:
                    self._kind, self._kept = None, (broker, request)
                    self._keeping.set()
                    client.shutdown(socket.SHUT_RDWR)
                    return
                broker.sendall(request)

    def _answers(self, client: socket.socket, broker: socket.socket) -> None:
        with suppress(OSError):
            while answer := broker.recv(1 << 16):
                if self._kept is not None and broker is self._kept[0]:
                    self._answered.set()
                    return
                client.sendall(answer)


def _exactly(sender: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        more = sender.recv(size - len(received))
        if not more:
            raise EOFError
        received += more
    return received
