"""The six real cores under the crashing scheduler, with the real work of their jobs.

`one_lane` has inline labels and one partition; `two_lanes` has late labels, two partitions, and people who interfere.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from services.deployment.core import Deployment
from services.drift_detection.core import DriftDetection
from services.embedded.simulation.loop_checkers import checkers
from services.embedded.simulation.loop_stream import Stream
from services.embedded.simulation.scenario import Scenario, Stage
from services.ingestion.core import Ingestion
from services.prediction.core import Prediction
from services.training.core import Training
from services.training.work import work
from services.validation.core import Validation
from shared.adapters.memory import TopicSettings
from shared.events.base import derive_id
from shared.events.commands import RetrainModel, RollBack
from shared.events.topics import TOPICS
from shared.runtime.core import Run
from shared.runtime.jobs import JobServices

BATCHES = (16, 4, 64)
PACE = 26
"""A fair round of all processes."""
LANE_TOPICS = frozenset(topic.name for topic in TOPICS if topic.per_lane)


@cache
def one_lane(rows: int = 230, change: int = 110, steps: int = 800, pace: int = PACE) -> Scenario:
    """Inline labels. What is left of the stream when the faults end comes in peace, so that each episode can end."""
    return replace(_scenario("loop, one lane", Stream(rows, change), steps), pace=pace)


@cache
def two_lanes(steps: int = 800) -> Scenario:
    """Late labels, second labels, two people who ask for a training and one who rolls a promotion back."""
    return _scenario("loop, two lanes", Stream(lanes=2, late=True), steps, asks=True)


def _work(run: Run, services: JobServices) -> None:
    work(run, services)


def _scenario(name: str, stream: Stream, steps: int, asks: bool = False) -> Scenario:
    pipeline = stream.pipeline.name
    commands = (
        (80, RetrainModel(pipeline=pipeline, command=derive_id("retrain"))),
        (80, RetrainModel(pipeline=pipeline, command=derive_id("retrain once more"))),
        (180, RollBack(pipeline=pipeline, command=derive_id("roll back"))),
    )
    return Scenario(
        name=name,
        topics={
            topic.name: TopicSettings(stream.lanes if topic.per_lane else 1, compacted=topic.compacted)
            for topic in TOPICS
        },
        stages=(
            Stage(Ingestion(), atomic=False, replicas=1),
            Stage(Validation(), atomic=True),
            Stage(Prediction(), atomic=True),
            Stage(DriftDetection(), atomic=False),
            Stage(Training("training"), atomic=False, per_process=Training),
            Stage(Deployment(), atomic=False),
        ),
        inputs=tuple(stream.inputs(commands if asks else ())),
        checkers=lambda: checkers(stream),
        lane_topics=LANE_TOPICS,
        jobs=_work,
        blobs=(stream.file,),
        steps=steps,
        batches=BATCHES,
        patience=20_000,
        pace=PACE,
    )
