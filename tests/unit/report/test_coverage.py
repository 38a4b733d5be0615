"""What no figure counts is told beside the figures, and nothing where there is nothing to tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.backtest.report import render
from services.backtest.report.coverage import coverage
from services.backtest.report.headline import support
from services.backtest.result import BacktestResult, Coverage
from shared.domain.quality import Quality
from shared.events.training import JobFailed
from tests.unit.report import sample


def covering(found: Coverage, *ledger: JobFailed) -> BacktestResult:
    """600 records, 100 of them initial."""
    result = sample.empty()
    return replace(result, policies=(replace(result.policies[0], coverage=found, ledger=ledger),))


def test_a_stream_that_was_let_in_whole_needs_no_note() -> None:
    assert coverage(covering(Coverage(served_from=100))) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Coverage(60, 12), "Of 600 records 60 were refused and 12 never got a label: no model’s figure counts them."),
        (Coverage(1, 0), "Of 600 records 1 was refused: no model’s figure counts them."),
        (Coverage(0, 7), "Of 600 records 7 never got a label: no model’s figure counts them."),
    ],
)
def test_refused_and_unlabelled_records_are_counted(found: Coverage, words: str) -> None:
    assert coverage(covering(found)) == [words]


def test_a_first_model_that_came_late_is_told_with_the_reason() -> None:
    failed = JobFailed(pipeline="p", job="j", token=1, reason="all labels are the same", final=True)
    assert coverage(covering(Coverage(served_from=200), failed)) == [
        "The first model served from record 201 on instead of from record 101 on: at first, all labels are the same."
    ]


def test_a_first_model_that_waited_for_labels_says_so() -> None:
    (words,) = coverage(covering(Coverage(served_from=105)))
    assert words.endswith("it took so many until 100 had been let in with a label.")


def test_a_first_model_after_the_last_record_promises_none() -> None:
    (words,) = coverage(covering(Coverage(served_from=600)))
    assert words.startswith("The first model came after the last record instead of")


def test_the_note_stands_in_the_console_s_words_and_on_the_page() -> None:
    result = covering(Coverage(60, 12, 200))
    for words in coverage(result):
        assert words in support(result)
        assert words in render(result)


def test_the_note_stands_where_no_policy_can_be_judged_too() -> None:
    result = covering(Coverage(500, 0, None))
    judged = replace(result, policies=(replace(result.policies[0], quality=Quality()),))
    assert support(judged) == ["Of 600 records 500 were refused: no model’s figure counts them."]
