"""What services promise beside the loop itself, on processes over real servers: many pipelines at once, a poisoned one
among them, jobs that outlive every time-out, labels in any order, and servers that go away and come back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic

import httpx
import numpy as np
import orjson
import pytest

from services.embedded.plant import Plant
from shared.domain.quality import Quality, merge_versions
from shared.events.deployment import CandidatePromoted
from shared.events.topics import RECORDS_DEAD, RECORDS_INGESTED
from shared.events.training import JobBeat, JobClaimed, TrainingCompleted
from shared.runtime.partitions import partition_of
from tests.integration.fleet import Fleet, fleet
from tests.integration.plant_traffic import JSON, Traffic
from tests.integration.record import Record
from tests.waiting import until

UNIT_SECONDS = 4
"""How long one unit of work may take here (max.poll.interval)."""
PREFIX = "services"
STILL = "\nretraining: {on_drift: false, check_after: null}\n"
"""Policy of a pipeline that is trained once and then only watched."""


@dataclass(frozen=True)
class Site:
    """A fleet, and where to look into its record."""

    fleet: Fleet
    broker: str
    folder: Path

    def record(self, pipeline: str) -> Record:
        return Record.of(self.broker, PREFIX, self.folder / "blobs", pipeline)


@pytest.fixture(scope="module")
def site(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("services")
    settings = {"DRIFTLOOP_KAFKA_UNIT_SECONDS": str(UNIT_SECONDS)}
    with fleet(broker, folder, prefix=PREFIX, settings=settings) as some:
        yield Site(some, broker, folder)


def serving(record: Record, traffic: Traffic) -> None:
    """Applied, trained on its first window, promoted."""
    traffic.apply()
    record.wait(traffic.knows, f"ingestion knows {traffic.name}")
    traffic.send(traffic.window)
    traffic.finish()
    record.wait(lambda: any(isinstance(e, CandidatePromoted) for e in record.ledger), f"{traffic.name} serves")


def predicting(site: Site, record: Record) -> int:
    """How many rows are predicted, once the stream is scored by the champion: prediction hears of it on another topic
    than of rows."""
    names = (f"early-{number}" for number in count())
    until(lambda: _infer(site, {}, record.name, next(names)).is_success and record.predicted(), "rows are predicted")
    return len(record.predicted())


def test_a_training_that_outlives_the_poll_interval_three_times_runs_once(site: Site) -> None:
    slow = Traffic(site.fleet.ingestion_url, Plant(rows=500, seed=7), name="slow", trees=8000, window=400, more=STILL)
    with closing(site.record("slow")) as record:
        serving(record, slow)
        [done] = [event for event in record.ledger if isinstance(event, TrainingCompleted)]
        assert done.measured_seconds > 3 * UNIT_SECONDS
        assert len([event for event in record.ledger if isinstance(event, JobClaimed)]) == 1
        assert [event for event in record.ledger if isinstance(event, JobBeat)]
    assert 'driftloop_log_errors_total{error="Fenced"}' not in site.fleet["training"].metrics()


def test_late_labels_in_any_order_count_like_inline_ones(site: Site) -> None:
    plant = Plant(rows=900, seed=3, label_delay=0)
    inline = Traffic(site.fleet.ingestion_url, plant, name="inline", window=400, more=STILL, labels="inline")
    late = Traffic(site.fleet.ingestion_url, plant, name="late", window=400, more=STILL)
    with closing(site.record("inline")) as of_inline, closing(site.record("late")) as of_late:
        serving(of_inline, inline)
        serving(of_late, late)
        for record in (of_inline, of_late):
            predicting(site, record)
        inline.send(500)
        late.deliver_labels(_shuffled_twice(late.without_labels(500)))
        late.deliver_labels([{"crate": "nobody-knows", "quality": "pass"}])
        for record in (of_inline, of_late):
            record.wait(lambda of=record: _labelled(of) == 900, f"all labels of {record.name} counted")  # type: ignore[misc]
        assert _quality(of_late) == _quality(of_inline)
        assert _quality(of_late).n == 500


def _shuffled_twice(labels: list[dict[str, object]]) -> list[dict[str, object]]:
    """Each label twice, in no order; the second time for some with another value, which must not count."""
    order = np.random.default_rng(5).permutation(len(labels)).tolist()
    again = [{**labels[i], "quality": "fail"} for i in order[::3]]
    return [labels[i] for i in order] + again


def _labelled(record: Record) -> int:
    return sum(counted.labels for counted in record.counted())


def _quality(record: Record) -> Quality:
    versions: dict[str, Quality] = {}
    for counted in record.counted():
        versions = merge_versions(versions, counted.versions)
    return sum(versions.values(), Quality())


def test_fifty_pipelines_run_at_once_and_a_poisoned_one_slows_none(site: Site) -> None:
    names = [f"shop-{number}" for number in range(50)]
    shops = [
        Traffic(site.fleet.ingestion_url, Plant(rows=200, seed=n), name, window=400) for n, name in enumerate(names)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Traffic.apply, shops))
        list(pool.map(lambda shop: until(shop.knows, f"{shop.name} is known"), shops))
        with closing(site.record("shop-0")) as record:
            poison(record, 500)
        began = monotonic()
        list(pool.map(lambda shop: shop.send(200), shops))
        list(pool.map(Traffic.finish, shops))
    with closing(site.record("shop-0")) as record:
        for other in (record.about(shop.name) for shop in shops[1:]):
            other.wait(lambda of=other: _labelled(of) == 200, f"{other.name} counted")  # type: ignore[misc]
        assert monotonic() - began < 180
        record.wait(lambda: len(record.messages(RECORDS_DEAD.name)) == 500, "the poison is set aside, all of it")
        record.wait(lambda: _labelled(record) == 200, "and the pipeline itself goes on")


def poison(record: Record, messages: int) -> None:
    """Bytes that no build ever wrote, past the door."""
    partition = partition_of(record.name, 0, record.log.partitions(RECORDS_INGESTED.name))
    for _ in range(messages):
        record.log.append(RECORDS_INGESTED.name, partition, record.name, b"\x00garbage", {"lane": "0", "file": "f"})


def test_a_prediction_over_http_is_the_champions_and_becomes_a_record_of_the_stream(site: Site) -> None:
    asked = Traffic(site.fleet.ingestion_url, Plant(rows=500, seed=11), name="asked", window=400, more=STILL)
    with closing(site.record("asked")) as record:
        serving(record, asked)
        until(lambda: _infer(site, UNLOGGED).status_code == 200, "the door has loaded the champion")
        before = len(record.validated())
        answer = _infer(site, {"id": "one"}).json()
        [promoted] = [event for event in record.ledger if isinstance(event, CandidatePromoted)]
        assert answer["model_version"] == promoted.version
        record.wait(lambda: len(record.validated()) == before + 1, "the row has become a record")
        assert _infer(site, UNLOGGED).json()["parameters"]["logged"] is False
        assert _infer(site, {"id": "one"}).json()["outputs"] == answer["outputs"]
        asked.send(25)
        record.wait(lambda: len(record.validated()) == before + 1 + 25, "the same question again is no second record")


def test_a_model_that_is_brought_answers_before_the_first_record_and_meets_a_rival(site: Site) -> None:
    with closing(site.record("asked")) as elsewhere:
        [trained] = [event for event in elsewhere.ledger if isinstance(event, TrainingCompleted)]
        model = elsewhere.blobs.get(trained.model)
    bringing = Traffic(site.fleet.ingestion_url, Plant(rows=500, seed=12), name="bringing", window=400, more=STILL)
    with closing(site.record("bringing")) as record:
        bringing.apply(model)
        until(lambda: _infer(site, UNLOGGED, "bringing").status_code == 200, "the door has loaded the brought model")
        [promoted] = [event for event in record.ledger if isinstance(event, CandidatePromoted)]
        assert _infer(site, UNLOGGED, "bringing").json()["model_version"] == promoted.version
        before = predicting(site, record)
        bringing.send(400)
        bringing.finish()
        record.wait(lambda: any(isinstance(e, TrainingCompleted) for e in record.ledger), "the first training is done")
        assert len(record.predicted()) >= before + 400


UNLOGGED: dict[str, object] = {"parameters": {"log": False}}


def _infer(site: Site, extra: dict[str, object], name: str = "asked", crate: str = "asked-over-http") -> httpx.Response:
    row = next(Plant(rows=100, seed=99).batches(1)).to_pylist()[0] | {"crate": crate}
    kinds = {bool: "BOOL", int: "INT64", float: "FP64"}
    tensors = [
        {"name": name, "datatype": kinds.get(type(value), "BYTES"), "shape": [1], "data": [value]}
        for name, value in row.items()
        if name != "quality"
    ]
    body = orjson.dumps({**extra, "inputs": tensors})
    return httpx.post(f"{site.fleet.prediction_url}/v2/models/{name}/infer", content=body, headers=JSON, timeout=30)
