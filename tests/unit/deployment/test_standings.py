"""The read model is told what changed, once; what it lost is told again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.deployment.standings import REFRESH, Standings, document
from services.deployment.state import DeploymentState, Episode, Version
from shared.events.commands import PausePipeline, ResumePipeline
from shared.events.drift_detection import DataFaultCleared, DataFaultFound
from shared.events.topics import COMMANDS
from tests.unit.deployment.desk import Desk
from tests.unit.prediction.bench import NAME

FAULT = DataFaultFound(
    pipeline=NAME,
    fault="f",
    kind="stale",
    column="caps",
    share=1.0,
    detail="",
    generation=1,
    epoch=2,
    first=20,
    last=30,
)


@dataclass
class Model:
    """A read model that may be down."""

    up: bool = True
    told: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list)

    def put(self, pipeline: str, offset: int, document: dict[str, Any]) -> bool:
        if self.up:
            self.told.append((pipeline, offset, document))
        return self.up


@dataclass
class Bench:
    model: Model = field(default_factory=Model)
    states: dict[str, tuple[int, DeploymentState]] = field(default_factory=dict)
    time: int = 0

    def __post_init__(self) -> None:
        self.standings = Standings(lambda: self.states, self.model.put, lambda: self.time)

    def turn(self) -> list[tuple[str, int]]:
        """What was told in this turn."""
        self.model.told.clear()
        assert not self.standings.turn()
        return [(pipeline, offset) for pipeline, offset, _ in self.model.told]


def test_each_change_is_told_once() -> None:
    bench = Bench(states={"p": (3, DeploymentState("p")), "q": (5, DeploymentState("q"))})
    assert bench.turn() == [("p", 3), ("q", 5)]
    assert bench.turn() == []
    bench.states["p"] = (4, DeploymentState("p"))
    assert bench.turn() == [("p", 4)]


def test_a_model_that_was_down_or_emptied_hears_everything_again() -> None:
    bench = Bench(model=Model(up=False), states={"p": (3, DeploymentState("p"))})
    assert bench.turn() == []
    bench.model.up = True
    assert bench.turn() == [("p", 3)]
    bench.time = REFRESH
    assert bench.turn() == [("p", 3)]


def test_the_document_says_who_serves_and_what_is_open() -> None:
    version = Version("v1", "j", "c", "drift", "m", "b", 1.0, 100)
    bench = Bench(states={"p": (3, DeploymentState("p", champion=version, episodes=(Episode("e"),)))})
    bench.turn()
    [(_, _, document)] = bench.model.told
    assert document["champion"] == {"version": "v1", "cause": "c", "trigger": "drift"}
    assert document["open_episodes"] == ["e"]
    assert document["on_trial"] is None


def test_the_document_says_what_blocks_retraining() -> None:
    desk = Desk()
    desk.say(FAULT)
    desk.send(COMMANDS.name, PausePipeline(pipeline=NAME, command="pause"))
    told = document(desk.state("deployment"))
    assert told["open_faults"] == [{"id": "f", "kind": "stale", "column": "caps", "first": 20}]
    assert told["retraining_paused"]
    desk.say(DataFaultCleared(pipeline=NAME, fault="f", column="caps", first=20, last=30, by="itself"), FAULT)
    desk.send(COMMANDS.name, ResumePipeline(pipeline=NAME, command="resume"))
    told = document(desk.state("deployment"))
    assert (told["open_faults"], told["retraining_paused"]) == ([], False)
