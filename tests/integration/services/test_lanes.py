"""A pipeline of several lanes over a real broker, the lanes shared out among replicas, some of them killed for good:
every record goes its lane's way once, and what the lanes count adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import pairwise
from zlib import crc32

import pytest

from services.embedded.plant import Plant
from shared.domain.quality import Quality, merge_versions
from shared.events.deployment import CandidatePromoted
from shared.events.topics import LABELS, PREDICTIONS, RECORDS_INGESTED, RECORDS_VALIDATED
from tests.integration.fleet import PARTITIONS, Fleet, fleet
from tests.integration.plant_traffic import Traffic
from tests.integration.record import Record
from tests.waiting import until

PREFIX = "lanes"
LANES = 3
"""One more than there are partitions: two of them share one."""
MORE = f"\nlanes: {LANES}\nretraining: {{on_drift: false, check_after: null}}\n"
PLANT = Plant(rows=1200, seed=5)
DOOMED = ("validation-2", "prediction-2")
NAMES = ("ingestion", "validation", "prediction", "training", "deployment", *DOOMED)
SETTINGS = {
    # How long the groups wait for members that were killed.
    "DRIFTLOOP_KAFKA_SESSION_SECONDS": "6",
    # Nobody asks the replicas, and two of them can't have the same door.
    "DRIFTLOOP_PREDICTION_PORT": "0",
}


@pytest.fixture(scope="module")
def life(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    folder = tmp_path_factory.mktemp("lanes")
    with (
        fleet(broker, folder, prefix=PREFIX, names=NAMES, settings=SETTINGS) as some,
        closing(Record.of(broker, PREFIX, folder / "blobs")) as record,
    ):
        _live(some, record)
        yield record


def _live(some: Fleet, record: Record) -> None:
    """A champion from about the middle on; later some replicas die at work, and what comes is the others' alone."""
    traffic = Traffic(some.ingestion_url, PLANT, window=400, more=MORE)
    traffic.apply()
    record.wait(traffic.knows, "ingestion knows the pipeline")
    traffic.send(700)
    record.wait(lambda: any(isinstance(event, CandidatePromoted) for event in record.ledger), "the first champion")
    traffic.send(250)
    for name in DOOMED:
        until(
            lambda of=some[name]: 'driftloop_messages_written_total{topic="' in of.metrics(), f"{name} has work to do"
        )  # type: ignore[misc]
        some[name].kill()
    traffic.send(250)
    traffic.finish()
    record.wait(lambda: _labelled(record) >= PLANT.rows, "all labels are counted")


def _labelled(record: Record) -> int:
    return sum(counted.labels for counted in record.counted())


def by_lane(crates: Iterable[str]) -> dict[int, list[str]]:
    """In the order in which they came, whatever lies between them."""
    lanes: dict[int, list[str]] = {lane: [] for lane in range(LANES)}
    for crate in crates:
        lanes[crc32(crate.encode()) % LANES].append(crate)
    return lanes


SENT = by_lane(crate for batch in PLANT.batches() for crate in batch.column("crate").to_pylist())


def test_every_record_is_judged_once_and_in_the_order_of_its_lane(life: Record) -> None:
    assert by_lane(life.validated()) == SENT
    rows = Counter[int]()
    for message in life.messages(RECORDS_VALIDATED.name):
        rows[int(message.headers["lane"])] += int(message.headers["rows"])
    assert rows == {lane: len(crates) for lane, crates in SENT.items()}


def test_every_record_since_the_promotion_is_predicted_once(life: Record) -> None:
    predicted = by_lane(life.predicted())
    assert predicted == {lane: crates[-len(predicted[lane]) :] for lane, crates in SENT.items()}
    assert all(predicted.values())


def test_what_the_lanes_count_adds_up_to_the_labels(life: Record) -> None:
    counted = life.counted()
    for lane, crates in SENT.items():
        steps = sorted((each.first, each.last) for each in counted if each.lane == lane)
        assert (steps[0][0], steps[-1][1]) == (0, len(crates))
        assert all(before[1] == after[0] for before, after in pairwise(steps)), f"lane {lane} leaves out or repeats"
    assert _labelled(life) == PLANT.rows
    assert {(each.conflicting, each.unlabelled) for each in counted} == {(0, 0)}


def test_each_prediction_counts_once_in_the_quality_of_its_version(life: Record) -> None:
    versions: dict[str, Quality] = {}
    for counted in life.counted():
        versions = merge_versions(versions, counted.versions)
    [promoted] = [event for event in life.ledger if isinstance(event, CandidatePromoted)]
    assert {version: quality.n for version, quality in versions.items()} == {promoted.version: len(life.predicted())}


@pytest.mark.parametrize("topic", [RECORDS_INGESTED.name, RECORDS_VALIDATED.name, LABELS.name, PREDICTIONS.name])
def test_neighbouring_lanes_stand_in_different_partitions(life: Record, topic: str) -> None:
    places = {(int(message.headers["lane"]), message.partition) for message in life.messages(topic)}
    first = crc32(life.name.encode())
    assert places == {(lane, (first + lane) % PARTITIONS) for lane in range(LANES)}
