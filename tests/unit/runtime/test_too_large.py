"""What no log would ever take is its input's fault; what the log refuses for now is done again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from shared.adapters.memory import MemoryBlobs, MemoryGroups, MemoryLog, TopicSettings
from shared.events.letters import set_aside
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Append, Input, Message, Read, Step, Unit
from shared.runtime.hosts import LARGEST_STATE, LogHost, ProcessHost, snapshots_of
from shared.runtime.ports import MessageTooLarge
from shared.runtime.worker import Worker, WorkerHost

DECLARED = {"out": 100}


class Collecting:
    """Keeps all that it hears, and says it again."""

    name = "collecting"
    reads = ("in",)
    state_type: Any = str
    per_lane = False

    def initial(self, unit: Unit) -> str:
        return ""

    def handle(self, state: str, item: Input, read: Read) -> Step[str]:
        assert isinstance(item, Message)
        grown = item.value.decode() if not item.value.isdigit() else "x" * int(item.value)
        said = b"large" if item.value.isdigit() else item.value
        return Step(state + grown, (Append("out", Unit(item.key), said),))


@dataclass
class Bench:
    log: MemoryLog
    host: WorkerHost
    worker: Worker

    def state(self, pipeline: str) -> str:
        held = self.host.held(Unit(pipeline))
        return "" if held is None else held.state

    def send(self, pipeline: str, value: bytes) -> None:
        self.log.append("in", 0, pipeline, value, {})

    def drain(self) -> None:
        while self.worker.step():
            pass

    def read(self, topic: str) -> list[bytes]:
        return [message.value for message in self.log.read(topic, 0, 0, 100)]


def bench(kind: str, *, takes: int = 1 << 20) -> Bench:
    log, core = MemoryLog(lambda: 0), Collecting()
    for topic in ("in", "records.dead"):
        log.create(topic, TopicSettings(max_message_bytes=32 << 20))
    log.create("out", TopicSettings(max_message_bytes=takes))
    log.create(snapshots_of(core), TopicSettings(compacted=True, max_message_bytes=LARGEST_STATE))
    host: WorkerHost = ProcessHost(core, log, lambda run: None, lambda answer: None)
    if kind != "process":
        host = LogHost(
            core, log, MemoryGroups(log), member="m", transactional="t", start=lambda run: None,
            answer=lambda answer: None, atomic=kind == "atomic",
        )  # fmt: skip
    aside = set_aside(core.name)
    worker = Worker(
        core, log, BlobReader(MemoryBlobs()), host, lane_topics=frozenset(), set_aside=aside, largest=DECLARED
    )
    worker.open()
    return Bench(log, host, worker)


@pytest.mark.parametrize("kind", ["process", "atomic", "step by step"])
def test_an_input_whose_output_is_too_large_is_set_aside_and_the_others_go_on(kind: str) -> None:
    here = bench(kind)
    for pipeline, value in (("good", b"a"), ("bad", b"b" * 101), ("good", b"c"), ("bad", b"d")):
        here.send(pipeline, value)
    here.drain()
    assert (here.state("good"), here.state("bad")) == ("ac", "d")
    assert here.read("out") == [b"a", b"c", b"d"]
    [letter] = here.log.read("records.dead", 0, 0, 10)
    assert letter.value == b"b" * 101
    assert letter.headers["__connect.errors.exception.class.name"] == "TooLarge"


@pytest.mark.parametrize("kind", ["atomic", "step by step"])
def test_an_input_that_makes_a_state_too_large_is_set_aside_and_says_nothing(kind: str) -> None:
    here = bench(kind)
    for value in (b"a", b"%d" % LARGEST_STATE, b"b"):
        here.send("p", value)
    here.drain()
    assert here.state("p") == "ab"
    assert here.read("out") == [b"a", b"b"]
    assert [letter.headers["__connect.errors.offset"] for letter in here.log.read("records.dead", 0, 0, 10)] == ["1"]


def test_what_is_within_the_declaration_and_refused_is_done_again_and_nothing_is_set_aside() -> None:
    here = bench("atomic", takes=5)
    here.send("p", b"a" * 50)
    for _ in range(3):
        with pytest.raises(MessageTooLarge):
            here.worker.step()
        here.worker.open()
    assert here.read("records.dead") == []
    here.log._settings["out"] = TopicSettings()
    here.drain()
    assert here.state("p") == "a" * 50
