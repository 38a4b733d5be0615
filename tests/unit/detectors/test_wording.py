"""A plug-in detector says yes or no: nobody tells of evidence that it never gave."""

from __future__ import annotations

from services.backtest.report.episodes import episode_list
from services.backtest.report.html import joined
from services.backtest.report.stories import chronicle
from services.cli.words import sentence
from services.deployment.card_record import Record
from services.deployment.card_sections import why
from shared.events.drift_detection import DriftDetected
from tests.unit.prediction.bench import pipeline
from tests.unit.report.ledger import completed, requested

DRIFT = DriftDetected(
    pipeline="shop", episode="e", origin="detector", detector="adwin", generation=1, row=2000, label=2000,
    since_row=1975, since_label=1975, evidence=0.0, threshold=0.4342944819032518,
)  # fmt: skip
BY_LOSSES = DRIFT.model_copy(update={"origin": "performance", "detector": "losses", "evidence": 4.6, "threshold": 4.0})


def report(drift: DriftDetected) -> str:
    return joined(episode_list(chronicle([drift], 4000)))


def card(drift: DriftDetected) -> str:
    made = completed(requested("job", drift.episode, "drift", 2000), 500)
    return "\n".join(why(Record(made, drift=drift), pipeline()))


def test_the_report_says_that_it_alarmed_and_no_more() -> None:
    assert "The plug-in detector adwin alarmed at row 2,000; estimated to have begun at row 1,975" in report(DRIFT)
    assert "10^" not in report(DRIFT)


def test_the_timeline_says_that_it_alarmed_and_no_more() -> None:
    assert sentence(DRIFT) == "drift detected by the plug-in detector; it began near row 1,975"


def test_the_model_card_says_that_it_alarmed_and_no_more() -> None:
    assert "detector `adwin` alarmed at row 2,000.\n" in card(DRIFT)
    assert "10^" not in card(DRIFT)


def test_evidence_that_was_given_is_told() -> None:
    assert "Performance evidence reached 10^4.6, where 10^4.0 alarms, at row 2,000 (detector losses);" in report(
        BY_LOSSES
    )
    assert "alarmed at row 2,000, with evidence\n10^4.6 where 10^4.0 alarms.\n" in card(BY_LOSSES)
