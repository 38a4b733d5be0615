"""Every command is answered: carried out once, or refused with a reason that helps."""

from __future__ import annotations

import pytest

from shared.domain.pipeline import Pipeline
from shared.domain.pipeline_file import canonical_bytes
from shared.events.commands import ApplyPipeline, PausePipeline, RollBack
from shared.events.deployment import (
    CandidatePromoted,
    CommandRefused,
    PipelineApplied,
    PipelinePaused,
    PromotionRolledBack,
)
from shared.events.topics import COMMANDS
from shared.events.training import TrainingCompleted
from tests.unit.deployment.desk import Desk
from tests.unit.prediction.bench import NAME


def bring(desk: Desk, command: str = "bring", model: bytes = b"made elsewhere") -> str:
    """A command with a model; the model's digest."""
    digest = desk.blobs.put(model)
    desk.send(COMMANDS.name, ApplyPipeline(pipeline=NAME, command=command, file=desk.file, model=digest))
    return digest


def reasons(desk: Desk) -> list[str]:
    return [refused.reason for refused in desk.of(CommandRefused)]


def test_a_model_that_is_brought_serves_before_the_first_row() -> None:
    desk = Desk()
    digest = bring(desk)
    [promoted] = desk.of(CandidatePromoted)
    serving = desk.serving[-1]
    assert (serving.version, serving.model) == (promoted.version, digest)
    assert (serving.generation, serving.baseline) == (1, None)


def test_the_first_training_brings_the_baseline_and_a_rival_for_a_brought_model() -> None:
    desk = Desk(promotion={"otherwise": "proven"})
    bring(desk)
    brought = desk.champion
    desk.label(desk.pipeline.window)
    [trained] = desk.of(TrainingCompleted)
    serving = desk.serving[-1]
    assert (serving.version, serving.baseline, serving.generation) == (brought, trained.baseline, 2)


def test_a_rollback_brings_a_brought_model_back_and_keeps_the_baseline() -> None:
    desk = Desk()
    digest = bring(desk)
    brought = desk.champion
    desk.label(desk.pipeline.window)
    [trained] = desk.of(TrainingCompleted)
    assert desk.champion == trained.version
    desk.send(COMMANDS.name, RollBack(pipeline=NAME, command="back"))
    assert (desk.serving[-1].version, desk.serving[-1].model) == (brought, digest)
    assert desk.serving[-1].baseline == trained.baseline


def test_a_pipeline_that_serves_takes_no_other_model() -> None:
    desk = Desk()
    champion = desk.serve_first()
    bring(desk)
    assert desk.champion == champion
    assert reasons(desk) == [
        f"version {champion} serves already: a model can be brought only before the first one serves"
    ]
    assert len(desk.of(PipelineApplied)) == 1


def test_what_is_not_stored_is_refused_and_what_was_in_force_stays() -> None:
    desk = Desk()
    gone = "f" * 64
    desk.send(COMMANDS.name, ApplyPipeline(pipeline=NAME, command="file", file=gone))
    desk.send(COMMANDS.name, ApplyPipeline(pipeline=NAME, command="model", file=desk.file, model=gone))
    file, model = reasons(desk)
    assert "no pipeline file of this build is stored as" in file
    assert "no model is stored as" in model
    assert desk.serving[-1].file == desk.file


def test_a_file_of_another_pipeline_is_refused() -> None:
    desk = Desk()
    file = desk.blobs.put(canonical_bytes(desk.pipeline.model_copy(update={"name": "another"})))
    desk.send(COMMANDS.name, ApplyPipeline(pipeline=NAME, command="other", file=file))
    assert reasons(desk) == ["the file is that of pipeline 'another'"]


def test_another_number_of_lanes_is_refused() -> None:
    desk = Desk()
    desk.pipeline = desk.pipeline.model_copy(update={"lanes": 3})
    file = desk.file
    desk.apply("more lanes")
    assert reasons(desk) == [
        "lanes: 1 can't become 3: drift detection adds up the lanes' positions; apply the file under another name"
    ]
    assert desk.serving[-1].file == file


def test_of_two_commands_for_the_same_one_is_carried_out_and_the_other_refused() -> None:
    desk = Desk()
    desk.serve_first()
    desk.drift("episode")
    asked = (RollBack(pipeline=NAME, command="one"), RollBack(pipeline=NAME, command="two"))
    desk.send(COMMANDS.name, *asked)
    assert len(desk.of(PromotionRolledBack)) == 1
    assert [refused.command for refused in desk.of(CommandRefused)] == ["two"]


def test_a_command_that_comes_twice_is_answered_once() -> None:
    desk = Desk()
    desk.serve_first()
    desk.drift("episode")
    for command in (RollBack(pipeline=NAME, command="back"), PausePipeline(pipeline=NAME, command="pause")):
        desk.send(COMMANDS.name, command, command)
        desk.send(COMMANDS.name, command)
    assert len(desk.of(PromotionRolledBack)) == len(desk.of(PipelinePaused)) == 1
    assert reasons(desk) == []


@pytest.mark.parametrize(
    ("features", "label", "reason"),
    [
        ([("z", "number"), ("x", "integer")], "y", ""),
        ([("z", "number")], "y", ""),
        ([("x", "category")], "y", "feature 'x': number can't become category while a version reads it"),
        ([("x", "number")], "w", "label: 'y' (classification, inline) can't become 'w' (classification, inline)"),
    ],
)
def test_a_contract_may_change_as_long_as_what_serves_and_what_is_stored_can_be_read(
    features: list[tuple[str, str]], label: str, reason: str
) -> None:
    desk = Desk()
    desk.serve_first()
    contract = desk.pipeline.contract.model_dump()
    contract |= {"features": [{"name": name, "kind": kind} for name, kind in features]}
    contract["label"] |= {"name": label}
    desk.pipeline = Pipeline.model_validate(desk.pipeline.model_dump() | {"contract": contract})
    desk.apply("changed")
    assert reasons(desk) == ([f"{reason}; apply the file under another name"] if reason else [])
