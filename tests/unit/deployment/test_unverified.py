"""A promotion that nothing was compared with is never called verified."""

from __future__ import annotations

from typing import Any

from services.backtest.policies import under_policy
from shared.events.deployment import CandidatePromoted, EpisodeClosed, PromotionVerified
from tests.unit.deployment.desk import Desk

UNCONDITIONAL: dict[str, Any] = {"promotion": {"after_drift": "unconditional", "otherwise": "unconditional"}}


def test_an_unconditional_promotion_ends_its_episode_unverified() -> None:
    desk = Desk(**UNCONDITIONAL)
    first = desk.serve_first()
    desk.label(20)
    desk.drift("caps")
    assert desk.champion != first
    assert desk.of(CandidatePromoted)[-1].rule == "unconditional"
    (closed,) = desk.of(EpisodeClosed)
    assert (closed.outcome, closed.gain, closed.version) == ("unverified", 0.0, desk.champion)


def test_nothing_watches_it_later() -> None:
    desk = Desk(**UNCONDITIONAL)
    desk.serve_first()
    desk.label(20)
    desk.drift("caps")
    assert desk.state("deployment").watch is None
    desk.label(2 * desk.pipeline.window)
    assert desk.of(PromotionVerified) == []
    assert [event.outcome for event in desk.of(EpisodeClosed)] == ["unverified"]


def test_an_unverified_episode_begins_no_further_generation() -> None:
    desk = Desk(**UNCONDITIONAL)
    desk.serve_first()
    desk.label(20)
    desk.drift("caps")
    assert [serving.generation for serving in desk.serving if serving.version == desk.champion] == [2]


def test_the_policies_that_a_backtest_compares_with_promote_so() -> None:
    pipeline = Desk().pipeline
    for name in ("never", "every:40", "detector:page-hinkley"):
        promotion = under_policy(name, pipeline).promotion
        assert (promotion.after_drift, promotion.otherwise) == ("unconditional", "unconditional")
