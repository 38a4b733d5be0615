"""How long the host waits for what, and what every one of its clients is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiokafka.helpers import create_ssl_context

from shared.adapters.kafka.connection import Connection

REQUEST_SECONDS = 60.0
"""For one answer of the broker."""


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. Operation is patient; a test need not be."""

    session: float = 30.0
    """Without a heartbeat for this long, the group gives a member's partitions to another."""
    rebalance: float = 60.0
    """For members to hand over; loading the states of what was taken over has to fit into half of it."""
    patience: float = 120.0
    """Behind the log's end and without progress for this long, the process exits."""
    stop: float = 15.0
    """For an orderly stop; after it the process exits where it stands, which loses nothing."""
    transaction: float = 10.0
    """After this the broker ends the transaction of a writer that vanished and was never replaced."""


def client_settings(connection: Connection) -> dict[str, Any]:
    """`Connection` in aiokafka's words."""
    security = connection.security
    settings: dict[str, Any] = {
        "bootstrap_servers": connection.bootstrap.split(","),
        "client_id": connection.client,
        "request_timeout_ms": milliseconds(REQUEST_SECONDS),
        "security_protocol": security.protocol,
    }
    if security.protocol.endswith("SSL"):
        settings["ssl_context"] = create_ssl_context(cafile=security.ca_file)
    if security.protocol.startswith("SASL"):
        settings["sasl_mechanism"] = security.mechanism
        settings["sasl_plain_username"] = security.username
        settings["sasl_plain_password"] = security.password
    return settings


def milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
