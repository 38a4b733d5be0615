"""A recorded run is decided again from its own topics, and a record that was changed is noticed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.deployment.core import Deployment
from services.drift_detection.core import DriftDetection
from services.embedded.loop import LANE_TOPICS
from services.embedded.rederivation import Rederived, rederive
from services.prediction.core import Prediction
from services.training.core import Training
from services.validation.core import Validation
from shared.adapters.memory import MemoryBlobs, MemoryLog
from shared.events.topics import LEDGER, TOPICS
from shared.runtime.blobs import BlobReader
from tests.unit.embedded.lives import PLANT, Life, live, plant_pipeline

CORES = (Validation(), Prediction(), DriftDetection(), Training("another"), Deployment())
NAMES = [topic.name for topic in TOPICS]


@pytest.fixture(scope="module")
def life() -> Iterator[Life]:
    """A run whose `serving` was not compacted yet: what was served when is part of the record."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.embedded.system.CLEAN_EVERY", 10**9)
        yield live(plant_pipeline(), PLANT.batches(25), 100)


def again(log: MemoryLog, blobs: MemoryBlobs) -> Rederived:
    return rederive(log, CORES, NAMES, LANE_TOPICS, BlobReader(blobs))


def copied(log: MemoryLog, spoil: bytes, into: bytes) -> MemoryLog:
    """The same record, but for some words in the ledger."""
    copy = MemoryLog.of(TOPICS, lambda: 0)
    for topic in NAMES:
        for message in log.read(topic, 0, 0, 10**6):
            value = message.value.replace(spoil, into) if topic == LEDGER.name else message.value
            copy.append(topic, 0, message.key, value, message.headers)
    return copy


def test_every_core_says_again_what_it_said(life: Life) -> None:
    found = again(life.log, life.blobs)
    assert found.differences == ()
    assert all(found.compared[core.name] > 10 for core in CORES)


def test_a_decision_that_does_not_follow_is_a_difference(life: Life) -> None:
    found = again(copied(life.log, b'"rule":"provisional"', b'"rule":"proven"'), life.blobs)
    assert {difference.core for difference in found.differences} >= {"deployment"}
