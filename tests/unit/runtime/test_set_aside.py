"""An input that a core fails on goes to a letter, and its unit goes on; outside faults set nothing aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from shared.adapters.memory import MemoryBlobs, MemoryLog, TopicSettings
from shared.events.letters import set_aside
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Answer, Input, Message, Read, Request, Step, Unit
from shared.runtime.hosts import ProcessHost
from shared.runtime.partitions import LANE, partition_of
from shared.runtime.ports import BlobMissing, Indefinite
from shared.runtime.worker import Worker

SECRET = b"name=Ada"


class Summing:
    """Adds up numbers; anything else is more than it can take."""

    name = "summing"
    reads = ("numbers",)
    state_type: Any = int
    per_lane = False

    def __init__(self, trouble: Callable[[], Exception]) -> None:
        self._trouble = trouble

    def initial(self, unit: Unit) -> int:
        return 0

    def handle(self, state: int, item: Input, read: Read) -> Step[int]:
        value = item.value if isinstance(item, Message) else item.body if isinstance(item, Request) else b""
        if not value.isdigit():
            raise self._trouble()
        return Step(state + int(value))


@dataclass
class Bench:
    log: MemoryLog
    worker: Worker
    host: ProcessHost
    answers: list[Answer]

    def total(self, pipeline: str) -> int:
        held = self.host.held(Unit(pipeline))
        return 0 if held is None else held.state


def bench(trouble: Callable[[], Exception] = lambda: ZeroDivisionError(SECRET), *, per_lane: bool = False) -> Bench:
    log = MemoryLog(lambda: 0)
    for topic in ("numbers", "records.dead"):
        log.create(topic, TopicSettings())
    core, answers = Summing(trouble), list[Answer]()
    core.per_lane = per_lane
    host = ProcessHost(core, log, lambda run: None, answers.append)
    lanes = frozenset({"numbers"})
    worker = Worker(core, log, BlobReader(MemoryBlobs()), host, lane_topics=lanes, set_aside=set_aside("summing"))
    worker.open()
    return Bench(log, worker, host, answers)


def test_one_pipelines_defect_does_not_stop_the_others_of_its_partition() -> None:
    here = bench()
    for pipeline, value in (("good", b"1"), ("bad", SECRET), ("good", b"2"), ("bad", b"5")):
        here.log.append("numbers", 0, pipeline, value, {})
    while here.worker.step():
        pass
    assert (here.total("good"), here.total("bad")) == (3, 5)


def test_the_letter_holds_the_bytes_and_the_place_and_no_word_of_the_record() -> None:
    here = bench()
    here.log.append("numbers", 0, "bad", SECRET, {"content-type": "text/plain"})
    here.worker.step()
    [letter] = here.log.read("records.dead", 0, 0, 10)
    assert letter.value == SECRET
    assert letter.headers["__connect.errors.topic"] == "numbers"
    assert letter.headers["__connect.errors.exception.class.name"] == "ZeroDivisionError"
    assert not any("Ada" in value for value in letter.headers.values())


def test_a_request_that_fails_is_answered_and_the_others_too() -> None:
    here = bench()
    asked = [(Unit("p"), Request(name, "add", body, 0)) for name, body in (("a", b"1"), ("b", b"x"), ("c", b"2"))]
    here.worker.requests(asked)
    assert [(answer.request, answer.status) for answer in here.answers] == [("b", 500)]
    assert here.total("p") == 3


@pytest.mark.parametrize("trouble", [lambda: Indefinite("no answer"), lambda: BlobMissing("d"), lambda: OSError(5)])
def test_what_is_no_inputs_fault_is_done_again_and_sets_nothing_aside(trouble: Callable[[], Exception]) -> None:
    here = bench(trouble)
    here.log.append("numbers", 0, "p", b"x", {})
    with pytest.raises((Indefinite, BlobMissing, OSError)):
        here.worker.step()
    assert here.log.read("records.dead", 0, 0, 10) == []


def test_a_message_in_anothers_partition_begins_no_second_state() -> None:
    log = MemoryLog(lambda: 0)
    log.create("numbers", TopicSettings(2))
    log.create("records.dead", TopicSettings(2))
    core = Summing(ZeroDivisionError)
    host = ProcessHost(core, log, lambda run: None, lambda answer: None)
    worker = Worker(core, log, BlobReader(MemoryBlobs()), host, lane_topics=frozenset())
    worker.open()
    home = partition_of("p", None, 2)
    for partition, value in ((home, b"1"), (1 - home, b"10"), (home, b"2")):
        log.append("numbers", partition, "p", value, {})
    while worker.sweep():
        pass
    held = host.held(Unit("p"))
    assert held is not None
    assert held.state == 3


def test_a_lane_that_is_no_number_is_passed_over_and_told(caplog: pytest.LogCaptureFixture) -> None:
    here = bench(per_lane=True)
    for lane in ("x", "-1", "0"):
        here.log.append("numbers", 0, "p", b"2", {LANE: lane})
    while here.worker.step():
        pass
    held = here.host.held(Unit("p", 0))
    assert held is not None
    assert held.state == 2
    assert caplog.text.count("is no lane's number") == 2
