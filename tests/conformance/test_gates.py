"""Every gate rule that a pipeline file may name keeps the same promises. A new name in the policy is tested at once."""

from __future__ import annotations

import typing

import pytest

from shared.domain.pipeline import PromotionPolicy
from shared.domain.trials import Paired
from shared.events.commands import RetrainModel
from shared.events.deployment import CandidatePromoted, CandidateRejected, PromotionRolledBack, PromotionVerified
from shared.events.topics import COMMANDS
from shared.events.training import EvaluationRequested
from tests.unit.deployment.desk import BETTER, EVEN, NAME, Desk

RULES = typing.get_args(PromotionPolicy.model_fields["otherwise"].annotation)
WATCHED = [rule for rule in RULES if rule != "unconditional"]


def candidate(rule: str, counts: Paired) -> Desk:
    """A candidate whose pairs with the first champion always come out as ``counts``, a window of labels later."""
    desk = Desk(promotion={"otherwise": rule})
    first = desk.serve_first()

    def evaluate(request: EvaluationRequested) -> dict[str, Paired]:
        return {"all": counts if request.champion == first else counts.swapped()}

    desk.evaluate = evaluate
    desk.send(COMMANDS.name, RetrainModel(pipeline=NAME, command="now"))
    desk.label(2 * desk.pipeline.window)
    return desk


@pytest.mark.parametrize("rule", RULES)
def test_a_clearly_better_candidate_ends_up_serving(rule: str) -> None:
    desk = candidate(rule, BETTER)
    assert desk.champion == desk.of(CandidatePromoted)[-1].version
    assert len(desk.of(CandidatePromoted)) == 2
    assert not desk.of(PromotionRolledBack)


@pytest.mark.parametrize("rule", WATCHED)
def test_a_clearly_worse_candidate_does_not_end_up_serving(rule: str) -> None:
    desk = candidate(rule, BETTER.swapped())
    assert desk.champion == desk.of(CandidatePromoted)[0].version
    assert desk.of(CandidateRejected) or desk.of(PromotionRolledBack)


@pytest.mark.parametrize("rule", WATCHED)
def test_a_tie_is_decided_after_a_window_of_labels(rule: str) -> None:
    desk = candidate(rule, EVEN)
    assert len(desk.of(CandidateRejected)) + len(desk.of(PromotionVerified)) == 1


@pytest.mark.parametrize("rule", RULES)
def test_a_promotion_names_its_rule_its_reasons_and_whom_it_replaces(rule: str) -> None:
    desk = candidate(rule, BETTER)
    first, second = desk.of(CandidatePromoted)
    assert second.rule == rule
    assert second.reasons
    assert second.expected_version == first.version
