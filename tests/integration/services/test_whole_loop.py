"""All services as processes over a real broker, each of them killed on the way: a drift flows by itself into a verified
promotion, nothing is lost or counted twice, and the record of the run decides the same again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from services.deployment.core import Deployment
from services.drift_detection.core import DriftDetection
from services.embedded.loop import LANE_TOPICS
from services.embedded.plant import Plant
from services.embedded.rederivation import rederive
from services.prediction.core import Prediction
from services.training.core import Training
from services.validation.core import Validation
from shared.events.deployment import CandidatePromoted, EpisodeClosed, PipelineApplied, PromotionVerified
from shared.events.drift_detection import DriftDetected
from shared.events.topics import TOPICS
from shared.events.training import EvaluationCompleted, ProbeCompleted, TrainingCompleted
from tests.integration.fleet import SERVICES, Fleet, fleet
from tests.integration.plant_traffic import Traffic
from tests.integration.record import Record

PLANT = Plant(rows=5000)
ONLY_DRIFTS = "\nretraining: {check_after: null}\n"
"""A check's promotion would end the watch over a drift's, now and then all of them."""
CORES = (Validation(), Prediction(), DriftDetection(), Training("another"), Deployment())
JUDGES = CORES[2:]
"""Those whose pace decides which rows a job is about."""


@pytest.fixture(scope="module")
def life(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    """The plant's whole life. The services keep pace, and every one of them is killed once.

    A decision that came later than the rows it is about would be another decision, and perhaps none of them a success.
    """
    folder = tmp_path_factory.mktemp("fleet")
    record = Record.of(broker, "whole-loop", folder / "blobs")
    # How long the groups wait for members that were killed.
    settings = {"DRIFTLOOP_KAFKA_SESSION_SECONDS": "6"}
    with fleet(broker, folder, prefix="whole-loop", settings=settings) as some, closing(record):
        _live(some, record)
        yield record


def _live(some: Fleet, record: Record) -> None:
    traffic = Traffic(some.ingestion_url, PLANT, more=ONLY_DRIFTS)
    traffic.apply()
    record.wait(lambda: any(isinstance(event, PipelineApplied) for event in record.ledger), "the file is in force")
    record.wait(traffic.knows, "ingestion knows the pipeline")
    victims = iter(SERVICES)
    while traffic.sent < PLANT.rows:
        traffic.send(250)
        if traffic.sent % 750 == 0 and (victim := next(victims, None)):
            some[victim].kill()
            some[victim].start()
        labels = max(0, traffic.sent - PLANT.label_delay - 25)
        record.wait(lambda due=labels: record.labelled() >= due and record.at_rest(JUDGES), f"{labels} labels judged")  # type: ignore[misc]
    traffic.finish()
    record.wait(lambda: record.labelled() == len(record.validated()) and record.at_rest(CORES), "all at rest")


def test_a_drift_becomes_a_verified_promotion_and_its_episode_ends(life: Record) -> None:
    drifts = {event.episode for event in life.ledger if isinstance(event, DriftDetected)}
    answers = {e.version: e.cause for e in life.ledger if isinstance(e, CandidatePromoted) and e.cause in drifts}
    verified = {event.version for event in life.ledger if isinstance(event, PromotionVerified)}
    closed = {event.episode for event in life.ledger if isinstance(event, EpisodeClosed)}
    assert {cause for version, cause in answers.items() if version in verified} & closed


def test_every_record_was_judged_once_and_none_was_lost(life: Record) -> None:
    judged = Counter(life.validated())
    assert set(judged.values()) == {1}
    # A producer that heard nothing sends again; what had arrived after all is refused as a repeat.
    reasons = [message.headers["__connect.errors.exception.message"] for message in life.messages("records.dead")]
    assert len(judged) == PLANT.rows, reasons
    assert all("duplicate" in reason for reason in reasons)


def test_every_record_since_the_first_promotion_was_predicted_once(life: Record) -> None:
    validated, predicted = life.validated(), Counter(life.predicted())
    assert set(predicted.values()) == {1}
    assert list(predicted) == validated[-len(predicted) :]
    assert len(predicted) > PLANT.rows / 2


def test_every_label_was_counted_once(life: Record) -> None:
    counted = life.counted()
    assert counted[-1].last == len(life.validated())
    assert (counted[-1].conflicting, counted[-1].unlabelled) == (0, 0)


def test_a_job_has_one_result_and_a_version_one_promotion(life: Record) -> None:
    done = TrainingCompleted | ProbeCompleted | EvaluationCompleted
    results = Counter(event.job for event in life.accepted() if isinstance(event, done))
    promotions = Counter(event.version for event in life.ledger if isinstance(event, CandidatePromoted))
    assert set(results.values()) == set(promotions.values()) == {1}


def test_the_record_of_the_run_decides_the_same_again(life: Record) -> None:
    found = rederive(life.log, CORES, [topic.name for topic in TOPICS], LANE_TOPICS, life.read)
    assert found.differences == ()
    assert all(found.compared[core.name] > 10 for core in CORES), found.compared
