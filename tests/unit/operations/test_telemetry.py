"""What each service's messages and states mean as numbers."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import Any

import pytest

from services.deployment.state import DeploymentState, Episode, Trial, Version
from services.deployment.telemetry import DeploymentTelemetry
from services.drift_detection.performance.detector import LossState
from services.drift_detection.state import DriftState, OpenFault
from services.drift_detection.telemetry import WINDOW, DriftTelemetry
from services.prediction.core import PredictionState
from services.prediction.telemetry import PredictionTelemetry
from services.training.state import TrainingState
from services.training.telemetry import TrainingTelemetry
from services.validation.telemetry import ValidationTelemetry
from shared.domain.quality import Quality, classification_quality
from shared.events.deployment import CandidatePromoted, PromotionRolledBack
from shared.events.drift_detection import DriftDetected
from shared.events.envelope import to_append
from shared.events.jobs import Job, Jobs
from shared.events.prediction import PerformanceCounted
from shared.events.training import TrainingCompleted
from shared.operations.metrics import Metrics
from shared.runtime.core import Unit
from tests.contracts.examples import event_of
from tests.unit.operations.numbers import heard, number
from tests.unit.validation.lane import PIPELINE, Lane, good

PLANT = "bottling-plant"
UNIT = Unit(PLANT)
VERSION = Version("v1", "j", "c", "drift", "m", "b", 1.0, 0)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def counted(**changes: Any) -> PerformanceCounted:
    event = event_of("driftloop.performance.counted.v1/one-version")
    assert isinstance(event, PerformanceCounted)
    return event.model_copy(update=changes)


class TestValidation:
    def test_rows_are_counted_by_what_was_wrong_with_them(self, metrics: Metrics) -> None:
        telemetry, lane = ValidationTelemetry(metrics), Lane()
        telemetry.moved(Unit("shop", 0), None)
        rows = [good(), good(), good(-1.0), good(101.0), {**good(102.0), "shop": "east"}]
        for append in lane.receive(*rows):
            telemetry.said(append)
        assert number(metrics, "rows_accepted_total", pipeline="shop") == 2
        assert number(metrics, "rows_rejected_total", pipeline="shop", rule="range:price") == 3
        assert number(metrics, "rows_rejected_total", pipeline="shop", rule="allowed:shop") == 1
        assert number(metrics, "dead_letters_total", pipeline="shop", reason="rules-broken") == 1


class TestPrediction:
    def test_labels_are_counted_by_what_became_of_them(self, metrics: Metrics) -> None:
        telemetry = PredictionTelemetry(metrics)
        telemetry.said(to_append("performance", counted()))
        for conflicting, unlabelled in ((5, 50), (6, 52)):
            telemetry.moved(UNIT, PredictionState(conflicting=conflicting, unlabelled=unlabelled))
        found = {
            outcome: number(metrics, "labels_total", pipeline=PLANT, outcome=outcome)
            for outcome in ("joined", "conflicting", "unlabelled")
        }
        assert found == {"joined": 25, "conflicting": 1, "unlabelled": 2}

    def test_a_lane_that_comes_back_older_counts_nothing_twice_or_less(self, metrics: Metrics) -> None:
        telemetry = PredictionTelemetry(metrics)
        for unlabelled in (10, 4, 5):
            telemetry.moved(UNIT, PredictionState(unlabelled=unlabelled))
        assert number(metrics, "labels_total", pipeline=PLANT, outcome="unlabelled") == 1


class TestDriftDetection:
    @pytest.fixture
    def telemetry(self, metrics: Metrics) -> DriftTelemetry:
        return DriftTelemetry(metrics, lambda _, __: PIPELINE)  # type: ignore[arg-type]

    def evidence(self, metrics: Metrics, test: str) -> float:
        return number(metrics, "drift_evidence_ratio", pipeline=PLANT, test=test)

    def test_one_is_an_alarm_of_the_inputs(self, metrics: Metrics, telemetry: DriftTelemetry) -> None:
        state = DriftState(PLANT, file="f", input_evidence=0.0)
        telemetry.moved(UNIT, state)
        assert self.evidence(metrics, "inputs") == pytest.approx(1.0)
        telemetry.moved(UNIT, replace(state, input_evidence=-2.0))
        assert self.evidence(metrics, "inputs") == pytest.approx(0.01)

    def test_a_new_generation_has_no_evidence(self, metrics: Metrics, telemetry: DriftTelemetry) -> None:
        state = DriftState(PLANT, file="f", input_evidence=1.0)
        telemetry.moved(UNIT, state)
        telemetry.moved(UNIT, replace(state, input_evidence=None))
        assert self.evidence(metrics, "inputs") == 0.0

    def test_one_is_an_alarm_of_the_losses(self, metrics: Metrics, telemetry: DriftTelemetry) -> None:
        limit = PIPELINE.drift.performance.false_alarm_labels
        growth = (log(limit),) * len(LossState().log_growth)
        telemetry.moved(UNIT, DriftState(PLANT, file="f", loss=LossState(log_growth=growth)))
        assert self.evidence(metrics, "performance") == pytest.approx(1.0)

    def test_evidence_without_bound_is_told_within_one(self, metrics: Metrics, telemetry: DriftTelemetry) -> None:
        telemetry.moved(UNIT, DriftState(PLANT, file="f", input_evidence=5000.0))
        assert 1e6 < self.evidence(metrics, "inputs") < 1e12

    def test_faults_are_counted_while_they_are_open(self, metrics: Metrics, telemetry: DriftTelemetry) -> None:
        telemetry.moved(UNIT, DriftState(PLANT, file="f", faults=(OpenFault("id", "missing", "price", 0, 10),)))
        assert number(metrics, "data_faults_open", pipeline=PLANT) == 1

    def test_what_went_to_another_process_is_told_by_that_one_alone(
        self, metrics: Metrics, telemetry: DriftTelemetry
    ) -> None:
        stays, goes = (DriftState(name, file="f", input_evidence=0.0) for name in (PLANT, "press"))
        for state in (stays, goes):
            telemetry.moved(Unit(state.pipeline), state)
        telemetry.opened()
        telemetry.moved(UNIT, stays)
        assert told(metrics, "drift_evidence_ratio") == {PLANT}

    def test_quality_is_of_the_newest_rows_of_the_version_that_serves(
        self, metrics: Metrics, telemetry: DriftTelemetry
    ) -> None:
        def tell(version: str, correct: int, wrong: int) -> None:
            quality = classification_quality(["a"] * (correct + wrong), ["a"] * correct + ["b"] * wrong)
            telemetry.seen(
                heard("performance", counted(serving=version, versions={version: quality, "other": quality}))
            )

        def accuracy(version: str = "v1") -> float:
            return number(metrics, "model_quality", pipeline=PLANT, version=version, measure="accuracy")

        tell("v1", WINDOW, 0)
        tell("v1", WINDOW // 2, WINDOW // 2)
        assert accuracy() == pytest.approx(0.5)
        tell("v1", 0, WINDOW // 2)
        assert accuracy() == pytest.approx(1 / 3)
        tell("v2", 10, 0)
        assert accuracy("v2") == 1.0
        assert told(metrics, "model_quality", "version") == {"v2"}

    @pytest.mark.parametrize(
        "bad",
        [Quality(n=10**400), Quality(n=5, confusion=(("a", "a", 10**400),)), Quality(n=-(10**9))],
    )
    def test_counts_that_no_number_can_be_made_of_cost_their_own_number_only(
        self, metrics: Metrics, telemetry: DriftTelemetry, bad: Quality
    ) -> None:
        good = classification_quality(["a"] * 4, ["a", "a", "a", "b"])
        for quality in (bad, good, bad, good):
            telemetry.seen(heard("performance", counted(serving="v1", versions={"v1": quality})))
        assert number(metrics, "model_quality", pipeline=PLANT, version="v1", measure="accuracy") == 0.75

    def test_a_file_that_cannot_be_opened_costs_the_losses_their_number_only(self, metrics: Metrics) -> None:
        def missing(*_: object) -> None:
            raise KeyError

        telemetry = DriftTelemetry(metrics, missing)  # type: ignore[arg-type]
        telemetry.moved(UNIT, DriftState(PLANT, file="f", input_evidence=0.0))
        assert self.evidence(metrics, "inputs") == pytest.approx(1.0)


class TestTraining:
    def test_jobs_are_timed_by_kind(self, metrics: Metrics) -> None:
        telemetry = TrainingTelemetry(metrics)
        trained = event_of("driftloop.training.completed.v1/after-drift")
        assert isinstance(trained, TrainingCompleted)
        for name in ("completed.v1/after-drift", "evaluated.v1/one-challenger", "probed.v1/both-windows"):
            telemetry.seen(heard("ledger", event_of(f"driftloop.training.{name}")))
        assert number(metrics, "job_seconds_sum", kind="training") == pytest.approx(trained.measured_seconds)
        assert all(number(metrics, "job_seconds_count", kind=kind) == 1 for kind in ("training", "evaluation", "probe"))

    def test_failures_are_counted(self, metrics: Metrics) -> None:
        TrainingTelemetry(metrics).seen(heard("ledger", event_of("driftloop.training.failed.v1/worker-died")))
        assert number(metrics, "jobs_failed_total", pipeline=PLANT) == 1

    def test_jobs_run_from_their_claim_to_their_end(self, metrics: Metrics) -> None:
        telemetry = TrainingTelemetry(metrics)
        claimed, waiting = Job("a", "training", token=3), Job("b", "training")
        telemetry.moved(Unit("one"), TrainingState("one", jobs=Jobs((claimed, waiting))))
        telemetry.moved(Unit("two"), TrainingState("two", jobs=Jobs((claimed,))))
        assert number(metrics, "jobs_running") == 2
        telemetry.moved(Unit("one"), TrainingState("one", jobs=Jobs((waiting,), ("a",))))
        assert number(metrics, "jobs_running") == 1
        telemetry.opened()
        assert number(metrics, "jobs_running") == 0


class TestDeployment:
    def test_an_answer_is_timed_by_the_ledger_and_counted_once(self, metrics: Metrics) -> None:
        telemetry = DeploymentTelemetry(metrics)
        drift, promotion = (event_of(f"driftloop.{name}") for name in ("drift.detected.v1/losses", PROMOTED))
        assert isinstance(drift, DriftDetected)
        assert isinstance(promotion, CandidatePromoted)
        answer = promotion.model_copy(update={"cause": drift.episode})
        for event, seconds in ((drift, 100), (answer, 130), (answer, 190)):
            telemetry.seen(heard("ledger", event, seconds=seconds))
        assert number(metrics, "drifts_total", pipeline=PLANT, origin="performance") == 1
        assert number(metrics, "promotions_total", pipeline=PLANT, rule="provisional") == 1
        assert number(metrics, "detected_to_promoted_seconds_sum") == 30
        assert number(metrics, "detected_to_promoted_seconds_count") == 1

    def test_a_promotion_that_was_taken_back_is_counted(self, metrics: Metrics) -> None:
        telemetry = DeploymentTelemetry(metrics)
        telemetry.moved(UNIT, DeploymentState(PLANT))
        assert told(metrics, "rollbacks") == {PLANT}, "a first one would be no increase"
        event = event_of("driftloop.deployment.rolled-back.v1/by-command")
        assert isinstance(event, PromotionRolledBack)
        telemetry.seen(heard("ledger", event))
        assert number(metrics, "rollbacks_total", pipeline=PLANT) == 1

    def test_a_drift_is_open_until_its_answer_serves(self, metrics: Metrics) -> None:
        telemetry = DeploymentTelemetry(metrics)
        state = DeploymentState(PLANT, episodes=(Episode("e1"), Episode("e2")), champion=VERSION)
        telemetry.moved(UNIT, state)
        assert number(metrics, "drift_episodes_open", pipeline=PLANT) == 2
        assert number(metrics, "model_served_info", pipeline=PLANT, version="v1") == 1
        telemetry.moved(UNIT, replace(state, watch=Trial("e1", "v2", "v1", 100), champion=replace(VERSION, id="v2")))
        assert number(metrics, "drift_episodes_open", pipeline=PLANT) == 1
        assert number(metrics, "model_served_info", pipeline=PLANT, version="v2") == 1
        assert number(metrics, "model_served_info", pipeline=PLANT, version="v1") == 0


PROMOTED = "deployment.promoted.v1/after-drift"


def told(metrics: Metrics, name: str, label: str = "pipeline") -> set[str]:
    """The label's values that a metric has series of."""
    families = [family for family in metrics.registry.collect() if family.name == f"driftloop_{name}"]
    return {sample.labels[label] for family in families for sample in family.samples}
