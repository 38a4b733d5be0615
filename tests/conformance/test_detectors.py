"""Every detector, found by discovery, keeps the same rules."""

from __future__ import annotations

import dataclasses
import importlib
import math
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from pydantic import TypeAdapter

import services.drift_detection.detectors as package
from services.backtest.replay import Replay, replay
from services.drift_detection.detectors import Detector, DetectorError, detectors, make_detector
from shared.adapters.memory import MemoryBlobs
from shared.domain.pipeline import DriftPolicy
from shared.events.base import Event
from shared.events.drift_detection import DriftAttributed, DriftDetected, DriftSuspected
from shared.events.training import ProbeRequested, TrainingCompleted
from shared.plugins import discover
from tests.unit.embedded import faulty

CHANGE = 1000
HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-a-detector.md"
NULL_OBJECTS = {"never"}
Stream = list[tuple[Any, ...]]


def stream(detector: Detector, shares: list[tuple[float, int]], seed: int = 0) -> Stream:
    """What ``update`` takes after the state: a loss, or reference and epoch counts (of 100 rows, one column moving)."""
    random = np.random.default_rng(seed)
    share = np.repeat([share for share, _ in shares], [rows for _, rows in shares])
    if detector.watches == "loss":
        return [(float(loss),) for loss in random.random(share.size) < share]
    reference = ((900, 100, 0, 0), (500, 500, 0, 0))
    moved = [random.multinomial(100, (1 - each, each, 0, 0)).tolist() for each in share[::100]]
    return [(reference, (tuple(each), (50, 50, 0, 0))) for each in moved]


def run(detector: Detector, items: Stream, state: Any = None) -> tuple[Any, list[int]]:
    state, alarms = detector.start() if state is None else state, []
    for index, item in enumerate(items):
        state, alarm = detector.update(state, *item)
        if alarm:
            alarms.append(index)
    return state, alarms


def name_is_the_files(detector: Detector) -> None:
    assert detector.name == type(detector).__module__.rpartition(".")[2].replace("_", "-")


def parameters_are_checked(detector: Detector) -> None:
    parameters: Any = detector
    for field in dataclasses.fields(parameters):
        senseless = "no such value" if isinstance(field.default, str) else math.nan
        with pytest.raises(DetectorError, match=f"'{detector.name}': {field.name} has to be"):
            make_detector(detector.name, **{field.name: senseless})


def parameters_and_state_are_frozen(detector: Detector) -> None:
    state, _ = run(detector, stream(detector, [(0.1, 500)]))
    things: tuple[Any, ...] = (detector, state)
    for each in things:
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            each.anything = 1
        hash(each)


def update_is_pure(detector: Detector) -> None:
    state = detector.start()
    for item in stream(detector, [(0.1, 300), (0.9, 300)]):
        before = repr(state)
        first, second = detector.update(state, *item), detector.update(state, *item)
        assert first == second
        assert repr(state) == before
        state = first[0]


def state_survives_json(detector: Detector) -> None:
    items = stream(detector, [(0.1, 1500), (0.9, 300), (0.1, 700)])
    for cut in (0, 1, 700, 1550):
        place = cut if detector.watches == "loss" else cut // 100
        state, _ = run(detector, items[:place])
        codec = TypeAdapter(type(state))
        restored = codec.validate_json(codec.dump_json(state))
        assert restored == state
        assert run(detector, items[place:], restored) == run(detector, items[place:], state)


def many_at_once_equal_one_by_one(detector: Detector) -> None:
    if detector.watches == "inputs":
        return
    losses = [loss for (loss,) in stream(detector, [(0.1, 600), (0.9, 300), (0.3, 400)], seed=4)]
    state, alarms, start = detector.start(), [], 0
    for size in np.random.default_rng(1).integers(0, 90, 60).tolist():
        state, found = detector.update_many(state, losses[start : start + size])
        alarms += [start + index for index in found]
        start = min(start + size, len(losses))
    assert start == len(losses)
    assert (state, alarms) == run(detector, [(loss,) for loss in losses])


def silent_on_a_constant_stream(detector: Detector) -> None:
    for value in (0.0, 0.3, 1.0):
        constant: tuple[Any, ...] = (value,)
        if detector.watches == "inputs":
            constant = ((700, 300, 0, 0),), ((70, 30, 0, 0),)
        assert run(detector, [constant] * 2000)[1] == []


def finds_a_large_change(detector: Detector) -> None:
    items = stream(detector, [(0.1, CHANGE), (0.9, 500)])
    _, alarms = run(detector, items)
    if detector.name in NULL_OBJECTS:
        assert alarms == []
    else:
        assert alarms
        assert alarms[0] >= CHANGE * len(items) // (CHANGE + 500)


def starts_anew_after_an_alarm(detector: Detector) -> None:
    state, raised = detector.start(), False
    for item in stream(detector, [(0.1, CHANGE), (0.9, 500)]):
        state, alarm = detector.update(state, *item)
        raised |= alarm
        assert not alarm or state == detector.start()
    assert raised or detector.name in NULL_OBJECTS


CHECKS = (
    name_is_the_files, parameters_are_checked, parameters_and_state_are_frozen, update_is_pure, state_survives_json,
    many_at_once_equal_one_by_one, silent_on_a_constant_stream, finds_a_large_change, starts_anew_after_an_alarm,
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", detectors())
def test_detector(name: str, check: Callable[[Detector], None]) -> None:
    check(make_detector(name))


def flipped(rows: pa.Table) -> pa.Table:
    """What was good is bad: every loss changes, no input does."""
    place = rows.column_names.index("good")
    good = pc.if_else(pc.equal(rows["good"], "yes"), "no", "yes")
    return rows.set_column(place, rows.schema.field(place), good)


PLANTED = {"loss": flipped, "inputs": faulty.moved("flow", 60)}
"""What a detector watches -> a change of that alone."""


@cache
def loop_with(name: str, watched: str) -> list[Event]:
    """The ledger of a pipeline that names a detector, when what is watched changes at row 500."""
    drift = faulty.pipeline().drift.model_copy(update={"detector": name})
    changed = faulty.between(faulty.sound(), 500, faulty.ROWS, PLANTED[watched])
    return faulty.life_of(changed, faulty.pipeline().model_copy(update={"drift": drift})).ledger


@pytest.mark.parametrize("name", sorted(set(detectors()) - NULL_OBJECTS))
def test_a_detector_that_a_pipeline_names_runs_in_the_loop(name: str) -> None:
    """Being found and keeping the rules is not enough: somebody has to ask it, and to hear what it says."""
    ledger = loop_with(name, make_detector(name).watches)
    alarms = [event for event in ledger if isinstance(event, DriftDetected) and event.detector == name]
    assert alarms
    assert alarms[0].origin == "detector"
    assert 450 <= alarms[0].since_row <= alarms[0].row <= 700
    answered = {event.cause for event in ledger if isinstance(event, ProbeRequested)}
    assert alarms[0].episode in answered


@pytest.mark.parametrize("name", sorted(name for name, kind in detectors().items() if kind.watches == "inputs"))
class TestADetectorOfInputs:
    def test_is_heard_in_place_of_the_built_in_tests(self, name: str) -> None:
        for watched in PLANTED:
            found = [event for event in loop_with(name, watched) if isinstance(event, DriftSuspected | DriftDetected)]
            assert {event.origin for event in found} <= {"detector"}

    def test_says_nothing_about_losses(self, name: str) -> None:
        assert [event for event in loop_with(name, "loss") if isinstance(event, DriftDetected)] == []

    def test_alarms_once_about_one_reference(self, name: str) -> None:
        generations = [event.generation for event in loop_with(name, "inputs") if isinstance(event, DriftDetected)]
        assert len(set(generations)) == len(generations)

    def test_has_its_alarm_completed_by_the_features_that_moved(self, name: str) -> None:
        told = [event for event in loop_with(name, "inputs") if isinstance(event, DriftDetected | DriftAttributed)]
        assert "flow" in {feature.name for event in told for feature in event.features}

    def test_trains_in_a_replay_under_the_policy_of_its_name(self, name: str) -> None:
        rows = faulty.between(faulty.sound(), 500, faulty.ROWS, PLANTED["inputs"]).combine_chunks()
        what = Replay(faulty.pipeline(), lambda size: iter(rows.to_batches(max_chunksize=size)))
        result = replay(what, f"detector:{name}", MemoryBlobs(), lambda _: None)
        drifts = {event.episode for event in result.ledger if isinstance(event, DriftDetected)}
        trained = [event for event in result.ledger if isinstance(event, TrainingCompleted) and event.cause in drifts]
        assert trained
        assert result.retrainings == len(trained)


@pytest.fixture
def add_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Detector]]:
    """Adds a file to the detectors' package for one test, and gives its detector."""
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])

    def add(module: str, text: str) -> Detector:
        (tmp_path / f"{module}.py").write_text(text)
        importlib.invalidate_caches()
        discover.cache_clear()
        return next(kind for kind in detectors().values() if kind.__module__.endswith(f".{module}"))()

    yield add
    for module in tmp_path.glob("*.py"):
        sys.modules.pop(f"{package.__name__}.{module.stem}", None)
    discover.cache_clear()


def how_to(language: str) -> str:
    (block,) = re.findall(rf"```{language}\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL)
    return str(block)


def test_the_how_to_adds_a_detector(add_file: Callable[[str, str], Detector]) -> None:
    detector = add_file("run_of_errors", how_to("python"))
    for check in CHECKS:
        check(detector)
    assert DriftPolicy.model_validate(yaml.safe_load(how_to("yaml"))["drift"]).detector == detector.name


SAVED = "RunState(state.run + 1, state.was_right)"
SPOILT = [
    (name_is_the_files, '"run-of-errors"', '"sequence-of-errors"'),
    (parameters_are_checked, 'require(self.level >= 0, self.name, "level", "0 or more", self.level)', "pass"),
    (parameters_and_state_are_frozen, "frozen=True, slots=True)\nclass RunState", "eq=True)\nclass RunState"),
    (update_is_pure, SAVED, SAVED.replace("state.run + 1", "__import__('random').getrandbits(60)")),
    (state_survives_json, "was_right: bool = False", "was_right: object = ()"),
    (
        many_at_once_equal_one_by_one,
        "DETECTOR =",
        "RunOfErrors.update_many = lambda _, state, __: (state, ())\nDETECTOR =",
    ),
    (silent_on_a_constant_stream, "state.was_right and ", ""),
    (finds_a_large_change, "length: int = 12", "length: int = 1000"),
    (finds_a_large_change, "length: int = 12", "length: int = 2"),
    (starts_anew_after_an_alarm, "return self.start(), True", "return state, True"),
]


@pytest.mark.parametrize(("check", "right", "wrong"), SPOILT)
def test_the_battery_refuses_a_broken_detector(
    add_file: Callable[[str, str], Detector], check: Callable[[Detector], None], right: str, wrong: str
) -> None:
    """Each rule is there to be broken: one line of the recipe's detector is spoilt, and its check has to notice."""
    text = how_to("python")
    assert right in text
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(add_file("run_of_errors", text.replace(right, wrong)))
