"""Any ledger event may be appended again at any later time: who serves, and all that is remembered, stays the same."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.deployment.core import Deployment
from services.training.core import Training
from shared.domain.trials import Paired
from shared.events.commands import ApproveCandidate, PausePipeline, ResumePipeline, RollBack
from shared.events.deployment import ApprovalAwaited, ServingChanged
from shared.events.drift_detection import DataFaultCleared, DataFaultFound
from shared.events.envelope import from_message
from shared.events.topics import COMMANDS, LEDGER
from shared.events.training import EvaluationRequested
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Append, Core, Message, Unit
from tests.unit.deployment.desk import BETTER, EVEN, Desk
from tests.unit.prediction.bench import NAME


@cache
def recorded(rule: str, mode: str = "auto") -> Desk:
    """A life with all that can happen: promotions, a verdict, a rollback, a refusal, a fault, a pause."""
    policy = {"after_drift": rule, "otherwise": rule, "mode": mode}
    desk = Desk(promotion=policy, retraining={"check_after": 1.0})
    desk.serve_first()
    desk.label(20)
    desk.drift("verified")
    if mode == "approve":
        version = desk.of(ApprovalAwaited)[-1].version
        desk.send(COMMANDS.name, ApproveCandidate(pipeline=NAME, command="approve", version=version))
    desk.label(45)
    desk.evaluate = lambda request: {"all": BETTER if episode(request) == "bad" else EVEN}
    desk.drift("bad")
    desk.label(45)
    fault = {"pipeline": NAME, "fault": "fault", "column": "x", "first": 100, "last": 110}
    desk.say(DataFaultFound(**fault, kind="nulls", share=0.5, detail="", generation=1, epoch=1))
    desk.drift("under a fault")
    desk.say(DataFaultCleared(**fault, by="2 clean epochs"))
    desk.fails = {"failing"}
    desk.drift("failing")
    desk.send(COMMANDS.name, PausePipeline(pipeline=NAME, command="pause"))
    desk.send(COMMANDS.name, ResumePipeline(pipeline=NAME, command="resume"))
    desk.drift("asked back")
    desk.send(COMMANDS.name, RollBack(pipeline=NAME, command="back"))
    desk.evaluate = lambda _: {"all": Paired(50, 3, 9, 0, 0)}
    desk.label(90)
    return desk


def episode(request: EvaluationRequested) -> str:
    return request.cause


def again(message: Message, offset: int, timestamp: int) -> Message:
    return Message(LEDGER.name, 0, offset, timestamp, message.key, message.value, message.headers)


def run(core: Core[Any], messages: list[Message], desk: Desk) -> tuple[object, list[ServingChanged]]:
    read, state, said = BlobReader(desk.blobs), core.initial(Unit(NAME)), []
    for message in messages:
        step = core.handle(state, message, read)
        state = step.state
        said += [e for e in step.effects if isinstance(e, Append) and e.topic == "serving"]
    return state, [ServingChanged.model_validate_json(effect.value) for effect in said]


def with_repeats(desk: Desk, repeats: list[tuple[int, int]]) -> list[Message]:
    """(which message, how many places later its repeat stands); offsets are given anew with gaps for the repeats."""
    originals = desk.messages
    placed = [(message.offset * 100.0, message) for message in originals]
    for number, (which, later) in enumerate(repeats):
        first = originals[which % len(originals)].offset
        placed.append((min(first + later, len(originals)) * 100.0 + 1 + number, originals[which % len(originals)]))
    placed.sort(key=lambda entry: entry[0])
    return [again(message, int(place), message.timestamp) for place, message in placed]


def spread(desk: Desk) -> list[Message]:
    return with_retokened(with_repeats(desk, []))


def with_retokened(messages: list[Message]) -> list[Message]:
    """Tokens are offsets: where offsets were stretched, tokens are too."""
    stretched = []
    for message in messages:
        event = from_message(message)
        token = getattr(event, "token", None)
        if event is not None and token is not None:
            value = event.model_copy(update={"token": token * 100}).model_dump_json().encode()
            stretched.append(replace(message, value=value))
        else:
            stretched.append(message)
    return stretched


LIVES = [("provisional", "auto"), ("proven", "auto"), ("unconditional", "auto"), ("provisional", "approve")]


def told(serving: list[ServingChanged]) -> list[dict[str, object]]:
    return [event.model_dump(exclude={"ledger_offset"}) for event in serving]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(LIVES), st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 400)), min_size=1, max_size=6))
def test_repeated_ledger_events_change_nothing_for_deployment(
    life: tuple[str, str], repeats: list[tuple[int, int]]
) -> None:
    desk = recorded(*life)
    want, served = run(Deployment(), spread(desk), desk)
    state, serving = run(Deployment(), with_retokened(with_repeats(desk, repeats)), desk)
    assert state == want
    assert told(serving) == told(served)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(LIVES), st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 400)), min_size=1, max_size=6))
def test_repeated_ledger_events_change_nothing_for_training(
    life: tuple[str, str], repeats: list[tuple[int, int]]
) -> None:
    desk = recorded(*life)
    want, _ = run(Training("worker"), spread(desk), desk)
    state, _ = run(Training("worker"), with_retokened(with_repeats(desk, repeats)), desk)
    assert state == want


def test_the_recorded_lives_hold_what_the_test_is_about() -> None:
    kinds = {type(event).__name__ for life in LIVES for event in recorded(*life).events}
    assert kinds >= {
        *("CandidatePromoted", "PromotionVerified", "PromotionRolledBack", "CandidateRejected", "EpisodeClosed"),
        *("TrialPended", "ApprovalAwaited", "TrainingSuppressed", "JobFailed", "DataFaultCleared", "PipelineResumed"),
        *("EvaluationCompleted", "ProbeCompleted"),
    }


def test_the_core_over_its_own_ledger_decides_what_stands_in_it() -> None:
    for life in LIVES:
        desk = recorded(*life)
        state, serving = run(Deployment(), desk.messages, desk)
        # Answers to commands are missing among what was said: this life saw the ledger alone.
        assert replace(state, said=()) == replace(desk.state("deployment"), said=())
        assert serving == desk.serving
