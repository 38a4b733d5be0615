"""Where the cluster is, who we are there, and what our names are on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FOREIGN = "="
"""A topic name that begins with this is somebody else's topic, called what follows: ``=orders`` is ``orders``."""


@dataclass(frozen=True, slots=True)
class Security:
    """How the cluster is spoken to. ``protocol`` and ``mechanism`` in Kafka's words (``SASL_SSL``, ``SCRAM-SHA-512``).

    ``ca_file`` is a path to PEM certificates; without it the system's are trusted.
    """

    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """``bootstrap``: "host:port", several separated by commas. ``prefix``: what all our names begin with.

    One prefix is one Driftloop: topics, groups and transactional ids of two of them never meet, and an access list
    needs one prefixed rule each. ``client`` is the name in the broker's logs and quotas.
    """

    bootstrap: str
    prefix: str = "driftloop"
    client: str = "driftloop"
    security: Security = Security()

    def wire_name(self, topic: str) -> str:
        """The topic's name on the broker, ``<prefix>.<topic>.v1``; a foreign topic (`FOREIGN`) has its own."""
        return topic[len(FOREIGN) :] if topic.startswith(FOREIGN) else f"{self.prefix}.{topic}.v1"

    def logical_name(self, name: str) -> str:
        """What a topic of this name on the broker is called here: `wire_name` makes the name of it again."""
        ours = name.removeprefix(f"{self.prefix}.").removesuffix(".v1")
        return ours if name == self.wire_name(ours) else FOREIGN + name

    def own_name(self, name: str) -> str:
        """A group's or a transactional id's name on the broker."""
        return f"{self.prefix}.{name}"

    def settings(self) -> dict[str, Any]:
        """What every client of the library is told."""
        return {
            "bootstrap_servers": self.bootstrap.split(","),
            "client_id": self.client,
            "security_protocol": self.security.protocol,
            "sasl_mechanism": self.security.mechanism,
            "sasl_plain_username": self.security.username,
            "sasl_plain_password": self.security.password,
            "ssl_cafile": self.security.ca_file,
        }
