"""When a training is asked for, what holds it back, and who gets to do it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import pytest

from services.training.core import Training
from services.training.state import TrainingState
from services.training.work import decode_work
from shared.domain.trials import Paired
from shared.events.base import Event
from shared.events.commands import PausePipeline, ResumePipeline, RetrainModel
from shared.events.deployment import CommandRefused, EpisodeClosed, TrialPended
from shared.events.drift_detection import DataFaultCleared, DataFaultFound
from shared.events.envelope import from_message, to_append
from shared.events.jobs import ATTEMPTS, LEASE
from shared.events.topics import COMMANDS, LEDGER, PERFORMANCE
from shared.events.training import (
    EvaluationRequested,
    JobBeat,
    JobClaimed,
    JobFailed,
    ProbeRequested,
    TrainingCompleted,
    TrainingRequested,
    TrainingSuppressed,
)
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Append, Message, Step, Unit
from tests.unit.deployment.desk import EVEN, Desk, counted, detected, matured
from tests.unit.prediction.bench import NAME

Kind = TypeVar("Kind", bound=Event)

W = 40
HEADERS = {"ce_type": "driftloop.drift.matured.v1"}


def triggers(desk: Desk) -> list[tuple[str, int]]:
    return [(event.trigger, event.label) for event in desk.of(TrainingRequested)]


def suppressed(desk: Desk) -> str:
    return desk.of(TrainingSuppressed)[-1].reason


def fault(**fields: Any) -> dict[str, Any]:
    return {"pipeline": NAME, "fault": "fault", "column": "x", "first": 10, "last": 20, **fields}


def found(name: str = "fault") -> DataFaultFound:
    return DataFaultFound(**fault(fault=name), kind="nulls", share=0.5, detail="", generation=1, epoch=1)


def test_the_first_training_has_exactly_the_windows_rows_even_if_one_message_brought_more() -> None:
    desk = Desk()
    desk.label(3 * W, whole=True)
    (request,) = desk.of(TrainingRequested)
    assert (request.trigger, request.data.first_label, request.data.last_label) == ("bootstrap", 0, W)
    assert desk.of(TrainingCompleted)[0].last_label == W


def test_nothing_is_trained_before_the_window_is_full() -> None:
    desk = Desk()
    desk.label(W - 1, whole=True)
    assert desk.of(TrainingRequested) == []


def test_a_first_training_that_failed_is_tried_again_a_window_later() -> None:
    desk = Desk(held=True)
    desk.label(W)
    (run,) = desk.runs
    desk.say(JobFailed(pipeline=NAME, job=run.job, token=run.token, reason="one class", final=True))
    desk.label(W - 1)
    assert len(desk.of(TrainingRequested)) == 1
    desk.held = False
    desk.label(1)
    first, second = desk.of(TrainingRequested)
    assert first.job != second.job
    assert second.data.last_label == 2 * W
    assert desk.champion is not None


def test_volume_trains_every_so_many_labelled_rows() -> None:
    desk = Desk(retraining={"every": 25, "last": 30, "on_drift": False})
    desk.label(130)
    assert triggers(desk) == [("bootstrap", W), ("volume", 65), ("volume", 90), ("volume", 115)]
    assert [event.data.first_label for event in desk.of(TrainingRequested)[1:]] == [35, 60, 85]


def test_a_check_is_made_a_window_after_a_training_and_again_a_window_after_a_vain_one() -> None:
    desk = Desk(retraining={"check_after": 1.0, "check_again": 0.5})
    desk.probe = EVEN
    desk.label(W + 2 * W)
    assert [event.label for event in desk.of(ProbeRequested)] == [2 * W, 2 * W + W // 2, 3 * W]
    assert triggers(desk) == [("bootstrap", W)]
    assert "would not pay" in suppressed(desk)


def test_after_a_change_checks_come_as_the_present_doubles_until_they_are_a_window_apart() -> None:
    desk = Desk(retraining={"check_after": 1.0})
    desk.serve_first()
    desk.label(10)
    desk.probe = EVEN
    desk.drift("caps", since=W)
    desk.label(3 * W)
    asked = [(event.label - W, event.split_label - W) for event in desk.of(ProbeRequested)]
    assert asked == [(10, 5), (20, 10), (40, 20), (80, 60), (120, 100)]


def test_a_check_that_pays_is_trained() -> None:
    desk = Desk(retraining={"check_after": 1.0})
    desk.label(2 * W)
    assert triggers(desk) == [("bootstrap", W), ("check", 2 * W)]


def test_no_check_while_a_drift_waits_for_its_answer() -> None:
    desk = Desk(retraining={"check_after": 1.0})
    desk.serve_first()
    desk.say(detected("caps", W, W))
    desk.label(2 * W)
    assert desk.of(ProbeRequested) == []


def test_a_comparison_is_looked_at_twenty_times_a_window_on_rows_that_follow_each_other() -> None:
    desk = Desk()
    desk.serve_first()
    desk.label(20)
    desk.drift("caps")
    desk.label(W)
    ranges = [(event.data.first_label, event.data.last_label) for event in desk.of(EvaluationRequested)]
    assert ranges == [(60 + 2 * i, 62 + 2 * i) for i in range(20)]


def test_labels_that_come_faster_than_evaluations_are_done_wait_for_one_larger_look() -> None:
    desk = Desk()
    desk.serve_first()
    desk.label(20)
    desk.drift("caps")
    desk.held = True
    desk.label(W // 2)
    assert len(desk.of(EvaluationRequested)) == 1
    desk.finish(desk.runs.pop())
    ranges = [(event.data.first_label, event.data.last_label) for event in desk.of(EvaluationRequested)]
    assert ranges == [(60, 62), (62, 60 + W // 2)]


def test_a_drift_is_probed_first_and_split_in_the_middle_of_its_present() -> None:
    desk = Desk()
    desk.serve_first()
    desk.label(40)
    desk.drift("caps", since=50)
    (probe,) = desk.of(ProbeRequested)
    assert (probe.since_label, probe.split_label, probe.windows) == (50, 65, ("past-and-present", "present-only"))


def test_what_probes_found_waits_until_their_rows_are_counted_here_again() -> None:
    """After a crash the counts are read again from further back than the ledger, which holds the request already."""
    desk = Desk(held=True)
    desk.label(W)
    desk.finish(desk.runs.pop())
    before = desk.state("training")
    desk.label(20)
    desk.drift("caps", since=W + 5)
    behind = replace(desk.state("training"), label=before.label, marks=before.marks)
    step = told(behind, to_append(LEDGER.name, desk.result(desk.runs[-1])), desk)
    assert requested(step) == []
    step = told(step.state, to_append(PERFORMANCE.name, counted(desk.file, W, W + 20)), desk)
    assert [event.data.last_label for event in requested(step)] == [W + 20]


def test_while_a_request_is_on_its_way_no_check_is_made() -> None:
    desk = Desk(retraining={"check_after": 1.0})
    desk.serve_first()
    state, asked = desk.state("training"), []
    for label in range(W, 4 * W, 10):
        step = told(state, to_append(PERFORMANCE.name, counted(desk.file, label, label + 10)), desk)
        state, asked = step.state, [*asked, *effects(step, ProbeRequested)]
    assert len(asked) == 1


def told(state: TrainingState, append: Append, desk: Desk) -> Step[TrainingState]:
    """One message for training alone; what it says goes nowhere."""
    message = Message(append.topic, 0, 10**6, 0, NAME, append.value, append.headers)
    return Training("worker").handle(state, message, BlobReader(desk.blobs))


def effects(step: Step[TrainingState], kind: type[Kind]) -> list[Kind]:
    appends = [effect for effect in step.effects if isinstance(effect, Append)]
    events = [from_message(Message(a.topic, 0, 0, 0, NAME, a.value, a.headers)) for a in appends]
    return [event for event in events if isinstance(event, kind)]


def requested(step: Step[TrainingState]) -> list[TrainingRequested]:
    return effects(step, TrainingRequested)


def test_inputs_that_are_only_watched_put_off_no_check() -> None:
    desk = Desk(retraining={"check_after": 1.0})
    desk.serve_first()
    desk.label(30)
    desk.drift("inputs", since=W + 20, origin="inputs")
    desk.label(10)
    assert [event.label for event in desk.of(ProbeRequested)] == [2 * W]


def test_a_past_that_hurts_beyond_doubt_stays_forgotten_in_later_trainings() -> None:
    desk = Desk()
    desk.serve_first()
    desk.label(40)
    desk.forget = Paired(30, 15, 0, 0, 15)
    desk.drift("caps", since=50)
    desk.label(20)
    desk.send(COMMANDS.name, RetrainModel(pipeline=NAME, command="now"))
    assert [event.data.first_label for event in desk.of(TrainingRequested)] == [0, 50, 50]


def test_a_past_that_may_hurt_is_kept() -> None:
    desk = Desk()
    desk.serve_first()
    desk.label(40)
    desk.forget = Paired(30, 6, 3, 0, 3)
    desk.drift("caps", since=50)
    assert [event.data.first_label for event in desk.of(TrainingRequested)] == [0, 0]


BRAKES = {
    "paused": ({}, [PausePipeline(pipeline=NAME, command="pause")], []),
    "data fault": ({}, [], [found()]),
    "minimum_labels": ({"minimum_labels": 70}, [], []),
    "cooldown": ({"cooldown": 30}, [], []),
    "budget": ({"budget": {"trainings": 1, "labels": 50}}, [], []),
}


@pytest.mark.parametrize("reason", BRAKES)
@pytest.mark.parametrize("trigger", ["drift", "request"])
def test_each_brake_holds_and_names_itself(reason: str, trigger: str) -> None:
    policy, commands, facts = BRAKES[reason]
    desk = Desk(retraining=policy)
    desk.serve_first()
    desk.label(20)
    desk.send(COMMANDS.name, *commands)
    desk.say(*facts)
    act(desk, trigger)
    assert len(desk.of(TrainingRequested)) == 1
    assert reason in suppressed(desk)


@pytest.mark.parametrize(
    "policy", [{"minimum_labels": 60}, {"cooldown": 20}, {"budget": {"trainings": 1, "labels": 20}}]
)
def test_a_brake_lets_go_at_its_limit(policy: dict[str, Any]) -> None:
    desk = Desk(retraining=policy)
    desk.serve_first()
    desk.label(20)
    act(desk, "request")
    assert len(desk.of(TrainingRequested)) == 2


def act(desk: Desk, trigger: str) -> None:
    if trigger == "drift":
        desk.drift("caps")
    else:
        desk.send(COMMANDS.name, RetrainModel(pipeline=NAME, command="now"))


def test_requests_that_come_together_are_claimed_one_after_the_other_and_once_each() -> None:
    desk = Desk()
    desk.serve_first()
    before = len(desk.of(JobClaimed))
    desk.send(COMMANDS.name, *(RetrainModel(pipeline=NAME, command=name) for name in ("a", "b", "c")))
    requested = [event.job for event in desk.of(TrainingRequested)[1:]]
    assert [event.job for event in desk.of(JobClaimed)[before:]] == requested
    assert len(requested) == 3


def test_where_no_pipeline_file_is_known_the_request_is_refused() -> None:
    desk = Desk()
    desk.send(COMMANDS.name, RetrainModel(pipeline="another", command="now"))
    (refused,) = desk.of(CommandRefused)
    assert (refused.pipeline, refused.command) == ("another", "now")
    assert "no pipeline file" in refused.reason


def test_resumed_it_trains_again() -> None:
    desk = Desk()
    desk.serve_first()
    desk.send(COMMANDS.name, PausePipeline(pipeline=NAME, command="pause"))
    act(desk, "request")
    desk.send(COMMANDS.name, ResumePipeline(pipeline=NAME, command="resume"))
    desk.send(COMMANDS.name, RetrainModel(pipeline=NAME, command="again"))
    assert [event.cause for event in desk.of(TrainingRequested)[1:]] == ["again"]


def test_a_paused_pipeline_does_not_even_begin() -> None:
    desk = Desk()
    desk.send(COMMANDS.name, PausePipeline(pipeline=NAME, command="pause"))
    desk.label(2 * W)
    assert desk.of(TrainingRequested) == []
    desk.send(COMMANDS.name, ResumePipeline(pipeline=NAME, command="resume"))
    desk.label(1)
    assert triggers(desk) == [("bootstrap", 2 * W + 1)]


def test_a_cleared_fault_leaves_its_rows_out_of_every_later_range() -> None:
    desk = Desk()
    desk.serve_first()
    desk.say(found(), DataFaultCleared(**fault(), by="2 clean epochs"))
    act(desk, "request")
    assert desk.of(TrainingRequested)[-1].data.excluded == ((10, 20),)


def test_one_of_two_faults_that_clears_still_blocks() -> None:
    desk = Desk()
    desk.serve_first()
    desk.say(found("one"), found("two"), DataFaultCleared(**fault(fault="one"), by="2 clean epochs"))
    act(desk, "request")
    assert "data fault" in suppressed(desk)


def test_the_retrain_command_trains_once_however_often_it_is_sent() -> None:
    desk = Desk()
    desk.serve_first()
    for _ in range(3):
        desk.send(COMMANDS.name, RetrainModel(pipeline=NAME, command="now"))
    assert len(desk.of(TrainingCompleted)) == 2


def test_a_job_that_needs_no_version_but_the_serving_one_finds_it_after_many_refusals() -> None:
    desk = Desk(promotion={"mode": "suggest"})
    first = desk.serve_first()
    for number in range(12):
        desk.send(COMMANDS.name, RetrainModel(pipeline=NAME, command=f"{number}"))
    desk.held = True
    desk.label(20)
    desk.drift("caps")
    assert decode_work(desk.runs[-1].payload).version(first).version == first


def test_the_same_state_and_input_give_the_same_ids() -> None:
    def once() -> list[str]:
        desk = Desk(retraining={"check_after": 1.0})
        desk.serve_first()
        desk.label(20)
        desk.drift("caps")
        desk.label(2 * W)
        return [message.headers["ce_id"] for message in desk.messages]

    assert once() == once()


# Claims


def held_job() -> Desk:
    desk = Desk(held=True)
    desk.label(W)
    assert len(desk.runs) == 1
    return desk


def other_claim(desk: Desk, attempt: int = 1) -> Event:
    return JobClaimed(pipeline=NAME, job=desk.runs[0].job, attempt=attempt, worker="other")


def job(desk: Desk, core: str = "training") -> Any:
    return desk.state(core).jobs.find(desk.runs[0].job)


@pytest.mark.parametrize("core", ["training", "deployment"])
def test_a_second_claim_within_the_lease_is_ignored(core: str) -> None:
    desk = held_job()
    desk.now += LEASE - 10
    desk.say(other_claim(desk, 2))
    assert (job(desk, core).token, job(desk, core).worker) == (desk.runs[0].token, "worker")


@pytest.mark.parametrize("core", ["training", "deployment"])
def test_a_claim_after_the_lease_holds_and_the_old_workers_result_does_not_count(core: str) -> None:
    desk = held_job()
    desk.now += LEASE + 10
    # The other's claim stands in the ledger before this worker's timer fires.
    desk.say(other_claim(desk, 2))
    assert job(desk, core).worker == "other"
    desk.finish(desk.runs[0])
    assert job(desk, core) is not None
    assert desk.champion is None
    desk.say(desk.result(desk.runs[0]).model_copy(update={"token": job(desk, core).token}))
    assert desk.champion is not None


@pytest.mark.parametrize("core", ["training", "deployment"])
def test_a_sign_of_life_keeps_the_job(core: str) -> None:
    desk = held_job()
    desk.now += LEASE - 10
    desk.say(JobBeat(pipeline=NAME, job=desk.runs[0].job, token=desk.runs[0].token, beat=1))
    desk.now += LEASE - 10
    desk.say(other_claim(desk, 2))
    assert job(desk, core).worker == "worker"


def test_a_stale_workers_failure_ends_nothing() -> None:
    desk = Desk(held=True)
    desk.label(W)
    desk.finish(desk.runs.pop())
    desk.label(20)
    desk.drift("caps")
    desk.say(JobFailed(pipeline=NAME, job=desk.runs[0].job, token=1, reason="stale", final=True))
    assert desk.of(EpisodeClosed) == []
    assert job(desk) is not None


def test_a_lost_start_is_made_up_for_by_the_lease() -> None:
    desk = held_job()
    desk.now += LEASE + 10
    desk.loop.drain()
    assert [event.attempt for event in desk.of(JobClaimed)] == [1, 2]
    assert desk.runs[1].payload == desk.runs[0].payload
    assert desk.runs[1].token > desk.runs[0].token


def test_after_the_last_attempt_the_job_fails_and_its_episode_ends() -> None:
    desk = Desk(held=True)
    desk.label(W)
    desk.finish(desk.runs.pop())
    desk.label(20)
    desk.drift("caps")
    for _ in range(ATTEMPTS + 2):
        desk.now += LEASE + 10
        desk.loop.drain()
    assert [event.attempt for event in desk.of(JobClaimed) if event.job == desk.runs[0].job] == [1, 2, 3]
    (closed,) = desk.of(EpisodeClosed)
    assert (closed.episode, closed.outcome) == ("caps", "failed")
    assert desk.of(JobFailed)[-1].final


def test_an_attempt_that_reports_its_failure_is_followed_by_the_next_at_once() -> None:
    desk = held_job()
    for attempt in range(ATTEMPTS):
        run = desk.runs[attempt]
        desk.say(JobFailed(pipeline=NAME, job=run.job, token=run.token, reason="out of memory", final=False))
    assert [event.attempt for event in desk.of(JobClaimed)] == [1, 2, 3]
    assert [event.final for event in desk.of(JobFailed)] == [False, False, False, True]
    assert desk.state("training").jobs.open == ()


def test_a_request_repeated_after_its_result_is_not_done_again() -> None:
    desk = Desk()
    desk.serve_first()
    request = desk.of(TrainingRequested)[0]
    before = desk.state("training")
    desk.say(request)
    assert len(desk.of(JobClaimed)) == 1
    assert desk.state("training") == before


def test_jobs_are_done_one_at_a_time_in_the_order_asked() -> None:
    desk = Desk(held=True)
    desk.label(W)
    desk.finish(desk.runs.pop())
    for command in ("one", "two"):
        desk.send(COMMANDS.name, RetrainModel(pipeline=NAME, command=command))
    assert len(desk.runs) == 1
    desk.finish(desk.runs[0])
    assert [decode_work(run.payload).request.cause for run in desk.runs] == ["one", "two"]


def test_a_repeated_trial_does_not_begin_anew() -> None:
    desk = Desk(promotion={"after_drift": "proven"})
    desk.serve_first()
    desk.label(20)
    desk.drift("caps")
    desk.label(10)
    before = desk.state("training").comparison
    desk.say(*desk.of(TrialPended))
    assert desk.state("training").comparison == before


def test_counts_that_come_twice_move_no_clock() -> None:
    desk = Desk()
    desk.serve_first()
    desk.label(20)
    before = desk.state("training")
    desk.send(PERFORMANCE.name, counted(desk.file, 40, 41))
    assert desk.state("training") == before


def test_a_drift_that_matures_before_anything_is_known_is_left_alone() -> None:
    core = Training("worker")
    message = Message(LEDGER.name, 0, 0, 0, NAME, matured("x", 0, 0).model_dump_json().encode(), HEADERS)
    assert core.handle(core.initial(Unit(NAME)), message, _no_blob).effects == ()


def _no_blob(digest: str, decode: Any) -> Any:
    raise AssertionError(f"nothing to read: {digest}")
