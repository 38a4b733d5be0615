"""From a candidate to a verdict: who serves, who comes back, and how every episode ends."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from services.deployment.core import Deployment
from services.embedded.loop import Loop
from shared.domain.trials import Paired
from shared.events.commands import ApproveCandidate, RollBack
from shared.events.deployment import (
    ApprovalAwaited,
    CandidatePromoted,
    CandidateRejected,
    CommandRefused,
    EpisodeClosed,
    PromotionRolledBack,
    PromotionVerified,
    TrialPended,
)
from shared.events.drift_detection import DriftCleared
from shared.events.topics import COMMANDS
from shared.events.training import DataRange, JobClaimed, TrainingRequested
from tests.unit.deployment.desk import BETTER, EVEN, WORSE, Desk, completed, detected, matured
from tests.unit.prediction.bench import NAME

PROVEN: dict[str, Any] = {"promotion": {"after_drift": "proven", "otherwise": "proven"}}


def endings(desk: Desk) -> dict[str, str]:
    closed = desk.of(EpisodeClosed)
    assert max(Counter(event.episode for event in closed).values(), default=1) == 1
    return {event.episode: event.outcome for event in closed}


def test_the_first_version_serves_generation_one() -> None:
    desk = Desk()
    first = desk.serve_first()
    (promotion,) = desk.of(CandidatePromoted)
    assert (promotion.rule, promotion.expected_version, desk.serving[-1].generation) == ("bootstrap", None, 1)
    assert desk.serving[-1].version == first


def test_after_a_drift_the_candidate_serves_at_once_and_is_verified_a_window_later() -> None:
    desk = Desk()
    first = desk.serve_first()
    desk.label(20)
    desk.drift("caps")
    assert desk.champion != first
    assert desk.of(CandidatePromoted)[-1].rule == "provisional"
    assert endings(desk) == {}
    desk.label(desk.pipeline.window + 1)
    (verified,) = desk.of(PromotionVerified)
    assert (verified.version, verified.over) == (desk.champion, first)
    assert endings(desk) == {"caps": "verified"}


def test_twenty_to_one_evidence_for_the_old_champion_brings_it_back() -> None:
    desk = Desk()
    first = desk.serve_first()
    desk.label(20)
    desk.evaluate = lambda _: {"all": BETTER}
    desk.drift("caps")
    new = desk.champion
    desk.label(desk.pipeline.window)
    (back,) = desk.of(PromotionRolledBack)
    assert (back.version, back.to, desk.champion) == (new, first, first)
    assert endings(desk) == {"caps": "rolled-back"}
    assert desk.of(EpisodeClosed)[0].gain == pytest.approx(-0.25)


def test_weaker_evidence_does_not() -> None:
    desk = Desk()
    desk.serve_first()
    desk.label(20)
    desk.evaluate = lambda request: {"all": Paired(5, 2, 1, 0, 0)} if request.data.first_label < 66 else {"all": EVEN}
    desk.drift("caps")
    desk.label(desk.pipeline.window + 1)
    assert desk.of(PromotionRolledBack) == []
    assert endings(desk) == {"caps": "verified"}


@pytest.mark.parametrize(("found", "ending"), [(BETTER, "verified"), (WORSE, "refused"), (EVEN, "refused")])
def test_a_proven_promotion_waits_for_its_trial(found: Paired, ending: str) -> None:
    desk = Desk(**PROVEN)
    first = desk.serve_first()
    desk.label(20)
    desk.evaluate = lambda request: {"all": found if request.champion == first else EVEN}
    desk.drift("caps")
    assert desk.champion == first
    assert len(desk.of(TrialPended)) == 1
    desk.label(3 * desk.pipeline.window)
    assert (desk.champion != first) == (found is BETTER)
    assert len(desk.of(CandidateRejected)) == (found is not BETTER)
    assert endings(desk) == {"caps": ending}


def test_a_trial_is_overtaken_by_a_newer_candidate_and_both_episodes_end() -> None:
    desk = Desk(**PROVEN)
    desk.serve_first()
    desk.label(20)
    desk.drift("one")
    desk.label(2)
    desk.drift("two")
    assert endings(desk) == {"one": "refused"}
    desk.label(3 * desk.pipeline.window)
    assert endings(desk) == {"one": "refused", "two": "refused"}


def test_a_promotion_that_cuts_a_watch_short_supersedes_its_episode() -> None:
    desk = Desk()
    desk.serve_first()
    desk.label(20)
    desk.drift("one")
    desk.label(10)
    desk.drift("two")
    assert endings(desk) == {"one": "superseded"}
    desk.label(2 * desk.pipeline.window)
    assert endings(desk) == {"one": "superseded", "two": "verified"}


def requested(name: str) -> TrainingRequested:
    return TrainingRequested(
        pipeline=NAME, job=f"job {name}", cause=name, trigger="drift", stage=0, window="last", since_label=0,
        data=DataRange(first_label=0, last_label=40, lanes=()), seed=0, file="", row=40, label=40,
    )  # fmt: skip


def race() -> Desk:
    """Two candidates complete within one poll, so that both promotions expect the champion that served then."""
    desk = Desk(held=True)
    desk.label(desk.pipeline.window)
    desk.finish(desk.runs.pop())
    desk.loop = Loop((Deployment(),), desk.log, desk.blobs, desk._job)
    desk.loop.drain()
    done = []
    for name in ("one", "two"):
        desk.say(detected(name, 30, 40), matured(name, 30, 40), requested(name))
        desk.say(JobClaimed(pipeline=NAME, job=f"job {name}", attempt=1, worker="worker"))
        token = desk.messages[-1].offset
        done.append(completed(requested(name), {"pipeline": NAME, "job": f"job {name}", "token": token, "cause": name}))
    desk.say(*done)
    return desk


def test_of_two_promotions_that_expect_the_same_champion_the_first_in_the_ledger_wins() -> None:
    desk = race()
    first, *_, winner, loser = desk.of(CandidatePromoted)
    assert winner.expected_version == loser.expected_version == first.version
    assert desk.champion == winner.version


def test_a_candidate_whose_promotion_lost_the_race_is_rejected_and_its_episode_ends() -> None:
    desk = race()
    (rejected,) = desk.of(CandidateRejected)
    assert rejected.version == desk.of(CandidatePromoted)[-1].version
    assert endings(desk) == {"two": "refused"}


def test_in_approve_mode_a_person_decides_once() -> None:
    desk = Desk(promotion={"mode": "approve"})
    first = desk.serve_first()
    desk.label(20)
    desk.drift("caps")
    (awaited,) = desk.of(ApprovalAwaited)
    assert desk.champion == first
    for command in ("one", "two"):
        desk.send(COMMANDS.name, ApproveCandidate(pipeline=NAME, command=command, version=awaited.version))
    assert desk.champion == awaited.version
    assert [event.command for event in desk.of(CommandRefused)] == ["two"]
    assert len(desk.of(CandidatePromoted)) == 2


def test_an_unknown_version_cannot_be_approved() -> None:
    desk = Desk(promotion={"mode": "approve"})
    first = desk.serve_first()
    desk.send(COMMANDS.name, ApproveCandidate(pipeline=NAME, command="one", version=first))
    assert len(desk.of(CommandRefused)) == 1


def test_of_two_candidates_that_await_approval_the_older_is_overtaken() -> None:
    desk = Desk(promotion={"mode": "approve"})
    desk.serve_first()
    desk.label(20)
    desk.drift("one")
    desk.drift("two")
    older, newer = desk.of(ApprovalAwaited)
    assert [event.version for event in desk.of(CandidateRejected)] == [older.version]
    assert endings(desk) == {"one": "refused"}
    desk.send(COMMANDS.name, ApproveCandidate(pipeline=NAME, command="late", version=older.version))
    assert len(desk.of(CommandRefused)) == 1
    assert desk.state("deployment").awaiting == newer.version


def test_in_suggest_mode_nothing_is_promoted() -> None:
    desk = Desk(promotion={"mode": "suggest"})
    first = desk.serve_first()
    desk.label(20)
    desk.drift("caps")
    assert desk.champion == first
    assert endings(desk) == {"caps": "refused"}


def slices(worse: bool) -> Any:
    return lambda request: {"all": EVEN, "shop=north": WORSE if worse else EVEN}


def test_a_named_slice_that_regresses_blocks_a_trial() -> None:
    desk = Desk(**PROVEN)
    first = desk.serve_first()
    desk.label(20)
    desk.evaluate = slices(worse=True)
    desk.drift("caps")
    desk.label(desk.pipeline.window // 4)
    (rejected,) = desk.of(CandidateRejected)
    assert "shop=north" in rejected.reasons[0]
    assert desk.champion == first


def test_a_named_slice_that_regresses_rolls_back() -> None:
    desk = Desk()
    first = desk.serve_first()
    desk.label(20)
    # In a watch the old champion is the challenger: where it wins, the new one has regressed.
    desk.evaluate = lambda _: {"all": EVEN, "shop=north": BETTER}
    desk.drift("caps")
    desk.label(desk.pipeline.window // 4)
    (back,) = desk.of(PromotionRolledBack)
    assert "shop=north" in back.reason
    assert desk.champion == first


def test_a_refused_episode_starts_a_new_generation_with_the_same_baseline() -> None:
    desk = Desk(retraining={"on_drift": False})
    desk.serve_first()
    before = desk.serving[-1]
    desk.drift("caps")
    after = desk.serving[-1]
    assert endings(desk) == {"caps": "refused"}
    assert (after.generation, after.baseline) == (before.generation + 1, before.baseline)
    assert after.version == before.version


def test_a_promotion_after_a_check_keeps_generation_and_baseline() -> None:
    desk = Desk(retraining={"check_after": 1.0})
    first = desk.serve_first()
    before = desk.serving[-1]
    desk.label(desk.pipeline.window + 1)
    after = desk.serving[-1]
    assert after.version != first
    assert desk.of(TrainingRequested)[-1].trigger == "check"
    assert (after.generation, after.baseline) == (before.generation, before.baseline)


def test_a_promotion_after_a_drift_brings_its_own_baseline() -> None:
    desk = Desk()
    desk.serve_first()
    before = desk.serving[-1]
    desk.label(20)
    desk.drift("caps")
    after = desk.serving[-1]
    assert after.generation == before.generation + 1
    assert after.baseline != before.baseline


def test_generations_never_go_back_whatever_was_decided_between() -> None:
    """A check's promotion is decided, then an episode ends unserved before the promotion stands in the ledger."""
    desk = Desk(held=True, retraining={"on_drift": False, "check_after": 1.0})
    desk.label(desk.pipeline.window)
    desk.finish(desk.runs.pop())
    desk.label(desk.pipeline.window)
    desk.finish(desk.runs.pop())
    label = desk.labelled
    desk.say(detected("a", label, label), matured("a", label, label), desk.result(desk.runs.pop()))
    generations = [event.generation for event in desk.serving]
    assert generations == sorted(generations)
    assert desk.serving[-1].generation == 2


def test_a_command_rolls_back_once() -> None:
    desk = Desk()
    first = desk.serve_first()
    desk.label(20)
    desk.drift("caps")
    desk.send(COMMANDS.name, RollBack(pipeline=NAME, command="one"))
    assert desk.champion == first
    desk.send(COMMANDS.name, RollBack(pipeline=NAME, command="two"))
    assert desk.champion == first
    assert [event.command for event in desk.of(CommandRefused)] == ["two"]
    assert endings(desk) == {"caps": "rolled-back"}


def test_a_roll_back_without_predecessor_is_refused() -> None:
    desk = Desk()
    desk.serve_first()
    desk.send(COMMANDS.name, RollBack(pipeline=NAME, command="one"))
    assert len(desk.of(CommandRefused)) == 1
    assert desk.of(PromotionRolledBack) == []


def test_a_training_that_fails_for_good_ends_its_episode() -> None:
    desk = Desk()
    desk.serve_first()
    desk.label(20)
    desk.fails = {"caps"}
    desk.drift("caps")
    assert endings(desk) == {"caps": "failed"}


def test_input_drift_that_a_fresh_model_would_not_help_is_harmless() -> None:
    desk = Desk(retraining={"on_inputs": "check"})
    desk.serve_first()
    desk.label(20)
    desk.probe = EVEN
    desk.drift("mix", origin="inputs")
    assert endings(desk) == {"mix": "harmless"}


def test_an_episode_that_another_answers_for_is_superseded() -> None:
    desk = Desk()
    desk.serve_first()
    desk.say(detected("mix", 30, 40, "inputs"))
    desk.say(DriftCleared(pipeline=NAME, episode="mix", row=41, label=41, reason="the loss drifted too"))
    assert endings(desk) == {"mix": "superseded"}


def test_what_serving_says_has_rising_ledger_offsets() -> None:
    desk = Desk()
    desk.serve_first()
    for name in ("one", "two", "three"):
        desk.label(30)
        desk.drift(name)
    offsets = [event.ledger_offset for event in desk.serving]
    assert len(offsets) > 4
    assert all(before < after for before, after in pairwise(offsets))
