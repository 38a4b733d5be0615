"""Ports for servers of the tests that have to know theirs before they listen."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import SystemRandom
from socket import socket

FIRST = 20_000
FIRST_OF_CONNECTIONS = 32_768
"""Where Linux starts to give ports to outgoing connections, unless the machine says otherwise."""


def free_port() -> int:
    """One that no connection is given meanwhile and that no other call in this process answers with.

    A port that the system chose (``bind`` to 0) is closed again before its server listens. It comes from the range that
    outgoing connections draw from, so one of them may have it by then.
    """
    return next(port for port in _candidates() if _free(port))


@cache
def _candidates() -> Iterator[int]:
    """All of them once, in an order that no other process has, whatever seeds a test sets."""
    ports = range(FIRST, _first_of_connections())
    return iter(SystemRandom().sample(ports, len(ports)))


def _first_of_connections() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return FIRST_OF_CONNECTIONS
    return first if first > FIRST else FIRST_OF_CONNECTIONS


def _free(port: int) -> bool:
    """On every address: an engine of containers listens on all of them."""
    with socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
