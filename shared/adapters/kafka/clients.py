"""The library's clients, built and thrown away by our rules. Numbers as in the defects they avoid, K1 to K10.

Defects of kafka-python 3.0.12, each with a test on a live broker in ``tests/integration/kafka``:

| | defect | what is done about it |
|---|---|---|
| K1 | a transaction commits although a record of it failed | `Window`: every future is looked at |
| K2 | stale offsets are committed after a refused commit of offsets | no producer lives on after an error |
| K3 | one refused record makes an idempotent producer refuse all | sizes are checked before; as K2 |
| K4 | a failing deserializer makes the consumer spin for ever | bytes only; a consumer that failed is replaced |
| K5 | ``flush`` doesn't tell that a record failed | `Window` |
| K6 | nothing bounds what waits to be sent | `Window` is bounded by bytes |
| K7 | ``close`` with something undelivered leaves its sender alive | `discard_producer` |
| K8 | ``commit`` inside a rebalance listener fails | commits happen between polls |
| K9 | after an epoch bump a transaction can be neither committed nor aborted | as K2 |
| K10 | the range assignor forgets members when static and dynamic ones mix | dynamic members only |
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from shared.adapters.kafka.connection import Connection
from shared.adapters.kafka.errors import as_log_errors

_ALL = {
    "bootstrap_timeout_ms": 10_000,
    # Half a minute, the default, is how long a broker that is back would go unnoticed.
    "reconnect_backoff_max_ms": 1_000,
}
_CONSUMER = {
    "metrics_enabled": False,
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "isolation_level": "read_committed",
    "allow_auto_create_topics": False,
    "max_poll_records": 500,
    # Bytes on the wire, compressed, per answer; a message that is larger comes alone.
    "fetch_max_bytes": 16 << 20,
    "max_partition_fetch_bytes": 2 << 20,
}
_PRODUCER = {
    "metrics_enabled": False,
    # Said aloud: left to the default, another setting may switch it off with no more than a warning.
    "enable_idempotence": True,
    "acks": "all",
    "allow_auto_create_topics": False,
    "compression_type": "lz4",
    # One batch at a time is under way per partition, so its size is what bounds the throughput.
    "batch_size": 256 << 10,
    # Each topic's own limit is checked before (`Catalogue.check_size`); this must let the largest of them through.
    "max_request_size": 64 << 20,
}


def consumer(connection: Connection, **settings: Any) -> Any:
    return _built(KafkaConsumer, connection, {**_CONSUMER, **settings})


def producer(connection: Connection, **settings: Any) -> Any:
    return _built(KafkaProducer, connection, {**_PRODUCER, **settings})


def admin(connection: Connection) -> Any:
    return _built(KafkaAdminClient, connection, {})


def close_quietly(client: Any, **how: Any) -> None:
    """Of a client that won't be used again, whatever state it is in."""
    with suppress(KafkaError, OSError, RuntimeError):
        client.close(**how)


def discard_producer(client: Any) -> None:
    """Ends a producer and whatever it has not delivered yet.

    Its own ``close`` gives up when something is undelivered, before it stops the thread that may still deliver it
    (K7). So the thread is stopped first; it fails what it holds, and ``close`` finds nothing to wait for.
    """
    client._sender.force_close()
    client._sender.join(1)
    close_quietly(client, timeout=0)


def _built(kind: Callable[..., Any], connection: Connection, settings: Mapping[str, Any]) -> Any:
    # At DEBUG the library writes whole records and its own settings, passwords too, into the log.
    library = logging.getLogger("kafka")
    library.setLevel(max(library.level, logging.WARNING))
    with as_log_errors(f"connect to {connection.bootstrap}"):
        return kind(**connection.settings(), **{**_ALL, **settings})
