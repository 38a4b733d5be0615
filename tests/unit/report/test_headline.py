"""The headline says what happened, also where it is unwelcome."""

from __future__ import annotations

from services.backtest.report.headline import evidence_finding, headline, support
from services.backtest.report.stories import chronicle
from services.backtest.result import BacktestResult, PolicyResult
from shared.domain.quality import MILLION, Quality
from shared.events.drift_detection import DriftDetected
from tests.unit.report import sample
from tests.unit.report.ledger import ledger

NB = "\u00a0"


def run(name: str, right: int, trainings: int = 0, *, model: bool = True) -> PolicyResult:
    """A policy that was right in so many of 1,000 cases."""
    counts = Quality(1000, (1000 - right) * MILLION, (("a", "a", right), ("b", "a", 1000 - right)))
    return PolicyResult(name, counts, trainings, trainings, 0, 0, (), (), 0.5 * model, 1.0)


def backtest(*policies: PolicyResult, task: str = "classification") -> BacktestResult:
    return BacktestResult("stream.csv", 1100, 100, 0, 1, task, policies, "name: x\n")


def told(*policies: PolicyResult) -> str:
    result = backtest(*policies)
    return " ".join([headline(result), *support(result)])


def test_help_is_put_in_figures_against_leaving_the_model_alone() -> None:
    assert told(run("never", 614), run("drift", 861, 4), run("every:1000", 745, 9)) == (
        f"Retraining on drift kept the model right in 86.1{NB}% of cases; left alone, it would have been right in "
        f"61.4{NB}%. It took 4 trainings after the first one; retraining every 1,000 rows took 9 and reached 74.5{NB}%."
    )


def test_no_help_is_admitted() -> None:
    assert told(run("never", 700), run("drift", 690, 1), run("every:1000", 650, 9)).startswith(
        f"No policy beat leaving the model alone: it was right in 70.0{NB}% of cases; "
        f"retraining on drift reached 69.0{NB}%. Retraining on drift took 1 training after the first one; "
    )


def test_a_rival_that_helped_is_named_where_drift_did_not() -> None:
    words = told(run("never", 700), run("drift", 690, 1), run("every:1000", 850, 9))
    assert words.startswith(f"Retraining on drift did not help: it was right in 69.0{NB}% of cases;")
    assert f"retraining every 1,000 rows took 9 and did better with 85.0{NB}%" in words


def test_a_tie_is_called_one() -> None:
    assert "made no difference" in told(run("never", 700), run("drift", 700, 1), run("every:1000", 800, 9))


def test_a_tie_without_rivals_is_no_defeat() -> None:
    assert told(run("never", 700), run("drift", 700)).startswith(
        f"Retraining on drift made no difference: with it and without, the model was right in 70.0{NB}% of cases. "
    )


def test_a_trivial_answer_that_does_better_is_not_hidden() -> None:
    words = told(run("never", 614), run("drift", 861, 4), run("last-class", 900, model=False))
    assert words.endswith("on this stream the model does not earn its keep.")


def test_a_trivial_answer_that_does_worse_is_not_mentioned() -> None:
    assert "earn its keep" not in told(run("never", 614), run("drift", 861, 4), run("last-class", 300, model=False))


def test_one_policy_alone_is_compared_with_nothing() -> None:
    assert "nothing to compare it with" in told(run("drift", 861, 4))


def test_without_labels_nothing_is_claimed() -> None:
    empty = PolicyResult("drift", Quality(), 0, 0, 0, 0, (), (), 0.1, 0.2)
    assert headline(backtest(empty)).startswith("No labelled records")
    assert support(backtest(empty)) == []


def test_regression_speaks_of_errors_where_less_is_better() -> None:
    words = headline(sample.typical(regression=True))
    assert words.startswith("Retraining on drift kept the average error at ")
    assert "left alone, it would have been off by" in words


def test_a_better_rival_is_called_better() -> None:
    words = told(run("never", 614), run("drift", 861, 4), run("every:1000", 880, 9))
    assert words.endswith(f"retraining every 1,000 rows took 9 and did better with 88.0{NB}%.")


def test_a_plug_in_detector_is_called_by_its_name() -> None:
    assert "retraining whenever adwin alarms took 7" in told(run("drift", 861, 4), run("detector:adwin", 800, 7))


def test_evidence_of_one_kind_is_not_listed() -> None:
    events = [event for event in ledger(20_000) if not isinstance(event, DriftDetected) or event.origin == "inputs"]
    assert evidence_finding(chronicle(events, 20_000)).startswith("7 alarms: all from the inputs")
