"""What a run leaves in its topics is enough to decide it again, whatever crashed on the way."""

from __future__ import annotations

import pytest

from services.deployment.core import Deployment
from services.drift_detection.core import DriftDetection
from services.embedded import rederivation
from services.embedded.loop import LANE_TOPICS
from services.embedded.rederivation import Difference, rederive
from services.embedded.simulation.explore import play
from services.embedded.simulation.loop_scenario import one_lane
from services.embedded.simulation.scenario import Scenario
from services.embedded.simulation.tape import SeededTape
from services.prediction.core import Prediction
from services.training.core import Training
from services.validation.core import Validation
from shared.events.topics import TOPICS
from shared.runtime.blobs import BlobReader

CORES = (Validation(), Prediction(), DriftDetection(), Training("another"), Deployment())


def differences(scenario: Scenario, seed: int) -> tuple[Difference, ...]:
    history = play(scenario, SeededTape(seed)).history
    topics = [topic.name for topic in TOPICS if topic.name in history.log.topics()]
    return rederive(history.log, CORES, topics, LANE_TOPICS, BlobReader(history.blobs)).differences


@pytest.mark.parametrize("first", range(0, 64, 16))
def test_a_run_with_crashes_is_decided_again_from_its_record(first: int) -> None:
    found = {seed: differences(one_lane(), seed) for seed in range(first, first + 16)}
    assert {seed: different for seed, different in found.items() if different} == {}


def test_a_branch_that_a_death_cut_off_needs_the_state_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In some seed training dies between a request and its state, and its successor reads in another order."""
    monkeypatch.setattr(rederivation, "BRANCHES", 1)
    assert any(differences(one_lane(), seed) for seed in range(64))
