"""The doctor's checks of the running system: broker, topics, who lags, Redis, doors, blobs, retention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Event as Flag
from typing import Any

from services.cli import running
from services.cli.errors import UserError, in_one_line
from services.cli.examination import Finding
from services.cli.ledger import ledger_history, pipelines, strangers
from services.cli.reading import whole
from services.deployment.core import UNSERVED, Deployment
from services.drift_detection.core import DriftDetection
from services.prediction.core import Prediction
from services.training.core import Training
from services.validation.core import Validation
from shared.events.deployment import CandidatePromoted, EpisodeClosed, PromotionRolledBack, ServingChanged
from shared.events.envelope import from_message
from shared.events.topics import BY_NAME, DAY, FOR_EVER, LEDGER, PROFILES, RECORDS_OFFERED, SERVING
from shared.operations.settings import BlobSettings, RedisSettings
from shared.runtime.core import Core
from shared.runtime.ports import Blobs, Groups, Log, LogError, Place

CORES: tuple[Core[Any], ...] = (Validation(), Prediction(), DriftDetection(), Training(""), Deployment())
Reader = tuple[str, tuple[str, ...]]
"""A consumer group, and the topics that it commits."""
SECOND_LOOK = 3.0
"""Seconds between two looks at a service that is behind: has it moved?"""
MARGIN = 30 * DAY
"""Before a generation's first profiles are deleted, somebody should know."""
FOREIGN = "services pass such messages over; find out who else may write to this topic"


def examine_running(*, pause: float = SECOND_LOOK) -> Iterator[Finding]:
    """All that can be seen from here. What can't be reached is one finding, and the others go on."""
    yield from _settings()
    yield from _doors()
    yield _redis()
    differences = _differences()
    yield from differences
    if all(finding.well for finding in differences):
        yield from _in_the_log(pause)


def _settings() -> Iterator[Finding]:
    """What the environment says, secrets blanked out."""
    for name, value in running.settings().items():
        yield Finding(f"{name}={value}", True)


def _doors() -> Iterator[Finding]:
    for door in running.doors():
        refused = running.refusal_of(door)
        cure = f"is {door.name} running, and does {door.variable} say where?"
        yield Finding(f"{door.name}'s door at {door.url}{f': {refused}' if refused else ''}", not refused, cure)


def _redis() -> Finding:
    down = running.redis_down()
    if down and "url" not in RedisSettings.load().model_fields_set:
        return _not_looked_at("Redis", "DRIFTLOOP_REDIS_URL")
    cure = "start it: meanwhile repeated keys are not recognised at the door, and status reads the ledger itself"
    return Finding(f"Redis does not answer: {down}" if down else "Redis answers", not down, cure)


def _not_looked_at(what: str, variable: str) -> Finding:
    """For what a machine outside need not reach: nobody has said that it is here."""
    return Finding(f"not looked at from here: {what} ({variable} is not set)", True, seen=False)


def _differences() -> list[Finding]:
    """Of the broker's topics; whether there is a broker shows first."""
    try:
        found = running.topic_differences()
    except LogError as error:
        return [Finding(f"the broker does not answer: {in_one_line(error)}", False, running.CURE)]
    if not found:
        return [Finding("the broker answers, and all topics are as declared", True)]
    cure = "'driftloop topics create' makes missing ones; change the others' settings with the broker's own tools"
    return [Finding(each, False, cure) for each in found]


def _in_the_log(pause: float) -> Iterator[Finding]:
    with running.opened_log() as log, running.opened_groups() as groups:
        yield from lags(log, groups, pause)
        yield from _blobs(log)
        yield from _strangers(log)
        yield from retention(log)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a service has read, and how many messages wait for it."""

    covered: Mapping[Place, int]
    waiting: int


def lags(log: Log, groups: Groups, pause: float) -> Iterator[Finding]:
    """A service that is behind and moves is well; one that stands still is not."""
    first = {reader: _lag(log, groups, reader) for reader in readers()}
    if any(lag.waiting for lag in first.values()):
        Flag().wait(pause)
    for reader, before in first.items():
        now = _lag(log, groups, reader) if before.waiting else before
        stuck = bool(now.waiting) and now.covered == before.covered
        words = f"is {now.waiting:,} messages behind{' and stands still' if stuck else ''}"
        cure = "is it running? Its log and its /readyz say what it waits for"
        yield Finding(f"{reader[0]} {words if now.waiting else 'has read everything'}", not stuck, cure)


def readers() -> Iterator[Reader]:
    """Every service's group. Topics that concern all lanes are read whole by each replica, and never committed."""
    yield f"ingestion.{RECORDS_OFFERED.name}", (RECORDS_OFFERED.name,)
    for core in CORES:
        yield core.name, tuple(topic for topic in core.reads if BY_NAME[topic].per_lane or not core.per_lane)


def _lag(log: Log, groups: Groups, reader: Reader) -> Lag:
    group, topics = reader
    covered: dict[Place, int] = {}
    waiting = 0
    for place in ((topic, partition) for topic in topics for partition in range(log.partitions(topic))):
        covered[place] = max(log.start_offset(*place), groups.committed(group, *place) or 0)
        waiting += _waiting(log, place, covered[place])
    return Lag(covered, waiting)


def _waiting(log: Log, place: Place, offset: int) -> int:
    """Messages from the offset on, roughly: a transaction's markers have offsets too. None where only those lie."""
    behind = log.end_offset(*place) - offset
    return behind if behind > 0 and log.read(*place, offset, 1) else 0


def _served(log: Log) -> dict[str, ServingChanged]:
    """What is in force, per pipeline."""
    events = (from_message(message) for message in whole(log, SERVING.name))
    return {event.pipeline: event for event in events if isinstance(event, ServingChanged)}


def _blobs(log: Log) -> Iterator[Finding]:
    try:
        blobs = running.opened_blobs()
    except UserError as error:
        unset = "folder" not in BlobSettings.load().model_fields_set
        yield _not_looked_at("blobs", "DRIFTLOOP_BLOBS_FOLDER") if unset else Finding(in_one_line(error), False)
        return
    served = _served(log)
    missing = list(_missing(served, blobs))
    yield from missing
    if not missing:
        yield Finding(f"blobs: files, models and baselines of {len(served)} pipelines are there", True)


def _missing(served: Mapping[str, ServingChanged], blobs: Blobs) -> Iterator[Finding]:
    for name, event in served.items():
        for what, digest in (("pipeline file", event.file), ("model", event.model), ("baseline", event.baseline)):
            if digest and not blobs.contains(digest):
                cure = "is this the folder that the services write to? Else restore it from a copy"
                yield Finding(f"{name}: the {what} {digest[:12]} in service is not among the blobs", False, cure)


def _strangers(log: Log) -> Iterator[Finding]:
    if count := strangers(log):
        yield Finding(
            f"{LEDGER.name}: messages of no pipeline, by their key or their partition: {count}", False, FOREIGN
        )


def retention(log: Log) -> Iterator[Finding]:
    """Profiles must outlive the oldest generation in use: its test compares with its first epochs."""
    kept, young = PROFILES.retention, True
    for name in pipelines(log):
        try:
            began = _generation_began(log, name)
        except UserError as error:
            yield Finding(f"{LEDGER.name}: {in_one_line(error)}", False, FOREIGN)
            continue
        age = 0 if began is None else log.now() - began
        if kept != FOR_EVER and age > kept - MARGIN:
            young, words = False, f"its generation began {age // DAY} days ago; profiles stay {kept // DAY}"
            cure = f"keep {PROFILES.name} longer: raise its declared retention, and retention.ms on the broker"
            yield Finding(f"{name}: {words}", False, cure)
    if young:
        yield Finding(f"profiles stay {kept // DAY} days, longer than any generation in use is old", True)


def _generation_began(log: Log, pipeline: str) -> int | None:
    """When the generation in use began, in epoch milliseconds; None before the first one."""
    past = ledger_history(log, pipeline, running.opened_blobs)
    generation, began = 0, None
    for event, headers in zip(past.events, past.envelopes, strict=True):
        before = generation
        if isinstance(event, CandidatePromoted | PromotionRolledBack):
            generation = event.generation
        if generation > before or (isinstance(event, EpisodeClosed) and event.outcome in UNSERVED):
            began = _milliseconds(headers["ce_time"])
    return began


def _milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
