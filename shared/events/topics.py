"""Every topic, declared once: who writes what is in the README's drawing, how long it stays is here."""

from __future__ import annotations

from dataclasses import dataclass

DAY = 24 * 60 * 60 * 1000
FOR_EVER = -1


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's contract with the broker. ``retention`` is in milliseconds of append time.

    ``compaction_lag``: milliseconds for which a compacted topic keeps superseded messages too.
    """

    name: str
    says: str
    per_lane: bool
    retention: int
    compacted: bool = False
    max_message_bytes: int = 1 << 20
    compaction_lag: int = 0


RECORDS_OFFERED = Topic(
    "records.offered", "what producers without HTTP bring: JSON rows, key = pipeline", False, 7 * DAY
)
RECORDS_INGESTED = Topic("records.ingested", "typed rows, as received", True, 7 * DAY, max_message_bytes=4 << 20)
RECORDS_VALIDATED = Topic("records.validated", "rows that keep the contract", True, 30 * DAY, max_message_bytes=4 << 20)
RECORDS_DEAD = Topic(
    "records.dead", "what was refused: the bytes, the place, the reason", True, 30 * DAY, max_message_bytes=4 << 20
)
LABELS = Topic("labels", "late labels by record id", True, 30 * DAY)
PREDICTIONS = Topic("predictions", "what the served version said", True, 7 * DAY, max_message_bytes=4 << 20)
PROFILES = Topic("profiles", "counts of received rows, per epoch slice", False, 365 * DAY)
PERFORMANCE = Topic("performance", "counts of right and wrong, per version and step", False, 365 * DAY)
LEDGER = Topic("ledger", "every fact and decision", False, FOR_EVER)
COMMANDS = Topic("commands", "what people and automation ask for", False, 30 * DAY)
SERVING = Topic(
    "serving",
    "pipeline -> what validation and prediction use",
    False,
    FOR_EVER,
    compacted=True,
    # As long as the rows that were judged by it: a record of a run is whole only with what was served when.
    compaction_lag=30 * DAY,
)

TOPICS = (
    RECORDS_OFFERED,
    RECORDS_INGESTED,
    RECORDS_VALIDATED,
    RECORDS_DEAD,
    LABELS,
    PREDICTIONS,
    PROFILES,
    PERFORMANCE,
    LEDGER,
    COMMANDS,
    SERVING,
)
BY_NAME = {topic.name: topic for topic in TOPICS}
LARGEST = {topic.name: topic.max_message_bytes for topic in TOPICS}
"""Bytes of a message's value, by topic."""
