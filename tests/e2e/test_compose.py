"""The deployment as an operator starts it: one command, a producer of its own, things killed on the way, and a foreign
client that reads along. From all events of the run the same decisions follow again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from services.deployment.core import Deployment
from services.drift_detection.core import DriftDetection
from services.embedded.loop import LANE_TOPICS
from services.embedded.rederivation import rederive
from services.prediction.core import Prediction
from services.training.core import Training
from services.validation.core import Validation
from shared.events.deployment import CandidatePromoted, EpisodeClosed, PromotionVerified
from shared.events.drift_detection import DriftDetected
from shared.events.topics import TOPICS
from tests.integration.broker import require_docker
from tests.integration.record import Record
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PROJECT = "driftloop-e2e"
ROWS, RATE = 14_000, 100
WITHIN = 300
"""Seconds from the first record, sent at this rate, to the end of the first drift's episode, on two shared cores."""
VICTIMS = ("prediction", "validation", "kafka", "drift_detection", "training", "ingestion", "deployment")
CORES = (Validation(), Prediction(), DriftDetection(), Training("another"), Deployment())


def compose(*arguments: str, seconds: float = 600, text: str = "") -> str:
    command = ["docker", "compose", "-p", PROJECT, *arguments]
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    require_docker()
    compose("down", "--volumes", "--remove-orphans")  # what a run that was killed has left
    try:
        compose("up", "-d", "--build", "--wait", seconds=1200)
        with closing(Record.of("localhost:9092", "driftloop", tmp_path_factory.mktemp("blobs") / "blobs")) as record:
            yield record
    finally:
        compose("down", "--volumes", "--remove-orphans")


@dataclass(frozen=True)
class Life:
    """A run that is over. ``seconds``: from the first record to the first verified promotion's closed episode."""

    record: Record
    blobs: Path
    seconds: float


@pytest.fixture(scope="module")
def life(system: Record, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """A plant that produces from a process of its own, while what it depends on is taken away."""
    began = monotonic()
    command = [sys.executable, "-m", "services.cli.main", "send", "--plant", f"--rows={ROWS}", f"--rate={RATE}"]
    plant = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL)
    try:
        system.wait(lambda: bool(_closed(system)), "a drift's episode ends verified", WITHIN)
        seconds = monotonic() - began
        _disturb(system)
        assert plant.wait(WITHIN) == 0
    finally:
        plant.kill()
    system.wait(
        lambda: system.labelled() == system.rows("records.validated") and system.at_rest(CORES), "all at rest", WITHIN
    )
    blobs = tmp_path_factory.mktemp("copied")
    compose("cp", "deployment:/var/lib/driftloop/blobs", str(blobs))
    return Life(Record.of("localhost:9092", "driftloop", blobs / "blobs"), blobs, seconds)


def _disturb(record: Record) -> None:
    """Each service dies without a word once; the broker too; and Redis forgets everything."""
    first = record.rows("records.validated")
    between = min(500, (ROWS - first) // len(VICTIMS))
    for number, victim in enumerate(VICTIMS):
        row = first + number * between
        record.wait(lambda row=row: record.rows("records.validated") >= row, f"{row} rows judged")  # type: ignore[misc]
        compose("kill", "-s", "KILL", victim)
        compose("up", "-d", "--no-build", "--no-deps", victim)
        compose("exec", "-T", "redis", "redis-cli", "FLUSHALL")


def _closed(record: Record) -> set[str]:
    ledger = record.ledger
    drifts = {event.episode for event in ledger if isinstance(event, DriftDetected)}
    verified = {event.version for event in ledger if isinstance(event, PromotionVerified)}
    answers = {event.cause for event in ledger if isinstance(event, CandidatePromoted) and event.version in verified}
    return drifts & answers & {event.episode for event in ledger if isinstance(event, EpisodeClosed)}


def test_a_drift_flows_into_a_verified_promotion_within_the_stated_time(life: Life) -> None:
    assert _closed(life.record)
    assert life.seconds < WITHIN


def test_nothing_was_lost_and_nothing_counted_twice(life: Life) -> None:
    judged = Counter(life.record.validated())
    assert set(judged.values()) == {1}
    # A producer that heard nothing sends again; what had arrived after all is refused as a repeat.
    reasons = [m.headers["__connect.errors.exception.message"] for m in life.record.messages("records.dead")]
    assert len(judged) == ROWS, reasons
    assert all("duplicate" in reason for reason in reasons)
    assert set(Counter(life.record.predicted()).values()) == {1}
    promotions = Counter(e.version for e in life.record.ledger if isinstance(e, CandidatePromoted))
    assert set(promotions.values()) == {1}


def test_the_runs_own_topics_lead_to_the_same_decisions_again(life: Life) -> None:
    found = rederive(life.record.log, CORES, [topic.name for topic in TOPICS], LANE_TOPICS, life.record.read)
    assert found.differences == ()
    assert all(found.compared[core.name] for core in CORES), found.compared


def test_a_foreign_client_reads_every_control_event_as_a_cloudevent(life: Life) -> None:
    consumer = [
        "/opt/kafka/bin/kafka-console-consumer.sh", "--bootstrap-server", "kafka:19092", "--topic",
        "driftloop.ledger.v1", "--from-beginning", "--timeout-ms", "10000", "--isolation-level", "read_committed",
        "--property", "print.headers=true", "--property", "headers.separator=|", "--property", "print.key=true",
    ]  # fmt: skip
    lines = [line for line in compose("exec", "-T", "kafka", *consumer).splitlines() if line.startswith("ce_")]
    assert len(lines) == len(life.record.messages("ledger"))
    for line in lines:
        headers, key, value = line.split("\t", 2)
        attributes = dict(header.split(":", 1) for header in headers.split("|"))
        assert attributes["ce_specversion"] == "1.0"
        assert {"ce_id", "ce_type", "ce_source", "content-type"} <= attributes.keys()
        assert json.loads(value)["pipeline"] == key == "bottling-plant"


def test_a_foreign_producer_writes_to_the_open_door(life: Life) -> None:
    before = len(life.record.validated())
    row = {"crate": "foreign-1", "logged_at": "2026-01-01T00:00:00Z", "pressure_bar": 2.4, "temperature_c": 4.0}
    row |= {"torque_nm": 1.7, "vibration_mm_s": 2.0, "bottles_per_minute": 300, "stops": 0, "product": "cola"}
    row |= {"shift": "early", "operator": "Ada", "cleaned": True}
    producer = [
        "/opt/kafka/bin/kafka-console-producer.sh", "--bootstrap-server", "kafka:19092", "--topic",
        "driftloop.records.offered.v1", "--property", "parse.key=true", "--property", "key.separator=|",
    ]  # fmt: skip
    compose("exec", "-T", "kafka", *producer, text=f"bottling-plant|{json.dumps([row])}\n")
    life.record.wait(lambda: len(life.record.validated()) == before + 1, "the row was judged")


def test_status_is_told_by_the_read_model_and_by_the_ledger(life: Life) -> None:
    until(lambda: "bottling-plant" in _status("--all"), "the read model knows the pipeline")
    assert "champion" in _status("--pipeline", "bottling-plant")


def _status(*arguments: str) -> str:
    return compose("exec", "-T", "ingestion", "driftloop", "status", *arguments)


def test_a_service_can_be_scaled(life: Life) -> None:
    compose("up", "-d", "--no-build", "--wait", "--scale", "validation=3")
    until(lambda: _running().count("validation healthy") == 3, "three of them are healthy")


def _running() -> list[str]:
    return compose("ps", "--format", "{{.Service}} {{.Health}}").splitlines()
