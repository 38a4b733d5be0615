"""The document, put together and written as YAML."""

from __future__ import annotations

import inspect
from typing import Any

import yaml

from services.asyncapi.channels import BINDING, channels, default
from services.asyncapi.headers import CORRELATION, reference, shared_schemas
from services.asyncapi.messages import first_paragraph, messages
from services.asyncapi.operations import CORES, operations

ASYNCAPI = "3.1.0"
FIRST_LINE = "# Made by `make schemas` from the code that sends and reads these messages; changed by hand it is lost.\n"
SECURITY = ("scramSha512", "scramSha256", "plain")
ABOUT = """\
What Driftloop's services say to each other, and where others may listen and speak.

* The key is the pipeline's name. The partition is `(crc32(key) + lane) % partitions`, with lane 0 where the topic has
  one order per pipeline; foreign producers write to `records.offered` alone, with any partitioner.
* Messages come at least once. `ce_id` is derived from what is said, so a repetition has the id that it had before.
* Types gain optional fields, nothing else; a reader ignores fields that it does not know, and passes over types.
* Transactions write some topics: read them with `isolation.level=read_committed`.
* Topics named `{prefix}.snapshots.*` hold the services' own states and are nobody else's business.
"""


class _Dumper(yaml.SafeDumper):
    """Text of several lines as such; no aliases, which many readers of AsyncAPI don't follow."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - for all data alike
        return True


def _words(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _words)


def document() -> dict[str, Any]:
    return {
        "asyncapi": ASYNCAPI,
        "info": _info(),
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": channels(),
        "operations": operations(),
        "components": _components(),
    }


def render() -> str:
    return FIRST_LINE + yaml.dump(document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _info() -> dict[str, Any]:
    return {
        "title": "Driftloop",
        "version": "1",
        "description": ABOUT,
        "license": {"name": "Apache-2.0"},
        "tags": [{"name": core.name, "description": _service(core)} for core in CORES],
    }


def _service(core: type[Any]) -> str:
    """What it does, in the first words of its core's module."""
    return first_paragraph(inspect.getmodule(core))


def _servers() -> dict[str, Any]:
    bootstrap = {
        "default": default("bootstrap"),
        "description": "Brokers to begin with: host:port, separated by commas.",
    }
    server = {"host": "{bootstrap}", "variables": {"bootstrap": bootstrap}}
    secured = {"protocol": "kafka-secure", "security": [reference("securitySchemes", name) for name in SECURITY]}
    return {
        "open": {**server, "protocol": "kafka", "description": "A cluster on the same machine or network."},
        "secured": {**server, **secured, "description": "TLS, and a name with a password."},
    }


def _components() -> dict[str, Any]:
    prefix = {"description": "What the names of one Driftloop begin with.", "default": default("prefix")}
    trigger = {"description": "The episode or other trigger.", "location": f"$message.header#/{CORRELATION}"}
    key = {"type": "string", "description": "The pipeline's name."}
    return {
        "schemas": shared_schemas(),
        "messages": messages(),
        "parameters": {"prefix": prefix},
        "correlationIds": {"trigger": trigger},
        "messageBindings": {"keyed": {"kafka": {"key": key, "bindingVersion": BINDING}}},
        "securitySchemes": {name: {"type": name} for name in SECURITY},
    }
