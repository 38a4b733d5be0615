"""The report calls a promotion verified only where something was compared."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from typing import get_args

import pytest

from services.backtest.report import render
from services.backtest.report.headline import lanes_finding, tiles
from services.backtest.report.lanes import OUTCOMES, outcome_words
from services.backtest.report.stories import Chronicle, chronicle
from services.backtest.result import BacktestResult
from shared.events.base import Event
from shared.events.deployment import EpisodeClosed, PromotionVerified
from tests.unit.report import sample

OUTCOME_TYPES = get_args(EpisodeClosed.model_fields["outcome"].annotation)


def unverified(event: Event) -> Event:
    """What a policy that compares nothing would have said instead."""
    changed = {"outcome": "unverified", "gain": 0.0}
    return event.model_copy(update=changed) if getattr(event, "outcome", "") == "verified" else event


def compared_with_nothing() -> BacktestResult:
    result = sample.typical()
    drift = next(policy for policy in result.policies if policy.name == "drift")
    ledger = tuple(unverified(event) for event in drift.ledger if not isinstance(event, PromotionVerified))
    return replace(result, policies=(replace(drift, ledger=ledger),))


def told(result: BacktestResult) -> Chronicle:
    return chronicle(result.policies[0].ledger, result.records)


def test_no_word_of_the_page_says_verified() -> None:
    page = render(compared_with_nothing()).partition("</style>")[2]
    assert re.findall(r"(?i)\bverified\b", page) == []
    assert "Promoted without a comparison at row" in page


def test_counts_of_verified_leave_it_out() -> None:
    result = compared_with_nothing()
    for words in (lanes_finding(told(result)), tiles(result, told(result))[-1][-1]):
        assert "4 promoted without a comparison" in words
        assert not re.search(r"\bverified", words)


@pytest.mark.parametrize("outcome", OUTCOME_TYPES)
def test_every_outcome_has_words_and_a_look(outcome: str) -> None:
    assert outcome in OUTCOMES
    assert outcome_words(outcome)
    style = (files("services.backtest.report") / "style.css").read_text("utf-8")
    assert f".bar.{outcome} " in style
    assert f".b-{outcome}" in style
