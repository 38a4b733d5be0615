"""Who says what on which topic, and who reads it besides the cores: `docs/asyncapi.yaml` is made from this.

A core names its topics where it reads and appends.  Said once more, for everyone who looks from outside;
`tests/contracts` holds it against the sources and against the log of a real run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.events.base import CATALOGUE, Event
from shared.events.data import (
    LABELS_INGESTED_V1,
    PREDICTIONS_MADE_V1,
    RECORD_REFUSED_V1,
    RECORDS_INGESTED_V1,
    RECORDS_VALIDATED_V1,
)
from shared.events.deployment import CommandRefused, ServingChanged
from shared.events.topics import (
    COMMANDS,
    LABELS,
    LEDGER,
    PERFORMANCE,
    PREDICTIONS,
    PROFILES,
    RECORDS_DEAD,
    RECORDS_INGESTED,
    RECORDS_OFFERED,
    RECORDS_VALIDATED,
    SERVING,
    Topic,
)

SERVICES = ("ingestion", "validation", "prediction", "drift_detection", "training", "deployment")
ROWS_OFFERED = "rows.offered"
"""Stands for the messages of producers, which need no type."""


@dataclass(frozen=True, slots=True)
class Saying:
    """A type of message, the topic that it goes to, and the services that write it there."""

    type: str
    topic: Topic
    writers: tuple[str, ...]


HOMES: Mapping[str, tuple[str, Topic]] = {
    "commands": ("ingestion", COMMANDS),
    "validation": ("validation", PROFILES),
    "prediction": ("prediction", PERFORMANCE),
    "drift_detection": ("drift_detection", LEDGER),
    "training": ("training", LEDGER),
    "deployment": ("deployment", LEDGER),
}
"""Module that declares an event -> who says it, and where."""
ELSEWHERE: Mapping[type[Event], Topic] = {ServingChanged: SERVING}
"""Events that don't go where the others of their module go."""
TOGETHER: Mapping[type[Event], tuple[str, ...]] = {CommandRefused: ("drift_detection", "training")}
"""Services that say another's event too: each refuses the commands that it owns."""

DATA = (
    Saying(ROWS_OFFERED, RECORDS_OFFERED, ("prediction",)),
    Saying(RECORDS_INGESTED_V1, RECORDS_INGESTED, ("ingestion",)),
    Saying(LABELS_INGESTED_V1, LABELS, ("ingestion",)),
    Saying(RECORDS_VALIDATED_V1, RECORDS_VALIDATED, ("validation",)),
    Saying(PREDICTIONS_MADE_V1, PREDICTIONS, ("prediction",)),
    # Whoever fails on a message sets it aside: shared.events.letters.
    Saying(RECORD_REFUSED_V1, RECORDS_DEAD, SERVICES),
)

READ_BESIDES: Mapping[str, tuple[Topic, ...]] = {
    "ingestion": (RECORDS_OFFERED,),
    "training": (RECORDS_VALIDATED, LABELS),
}
"""What a service reads beside its core's topics: the door in the log, and a job's frozen rows."""
INLETS: Mapping[Topic, str] = {RECORDS_OFFERED: "producers that speak Kafka"}
"""Topics that others write to, and who."""
OUTLETS: Mapping[Topic, str] = {
    PREDICTIONS: "whoever acts on predictions",
    RECORDS_DEAD: "people, who look at refused rows, repair them and put them back",
}
"""Topics that no service reads, and for whom they are."""


def sayings() -> tuple[Saying, ...]:
    """Every type of message there is."""
    return (*DATA, *(_of_event(CATALOGUE[name]) for name in sorted(CATALOGUE)))


def _of_event(kind: type[Event]) -> Saying:
    service, topic = HOMES[kind.__module__.rpartition(".")[2]]
    return Saying(kind.type, ELSEWHERE.get(kind, topic), (service, *TOGETHER.get(kind, ())))
