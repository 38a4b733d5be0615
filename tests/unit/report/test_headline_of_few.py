"""The headline of runs with few policies, and what it says of probes."""

from __future__ import annotations

from dataclasses import replace

from services.backtest.report.headline import headline, support
from services.backtest.report.policies import main_policy
from tests.unit.report.test_headline import NB, backtest, run, told


def test_repeating_the_last_label_is_not_compared_with_itself() -> None:
    result = backtest(run("last-class", 900, model=False))
    assert headline(result) == f"Repeating the last known label was right in 90.0{NB}% of cases."
    assert support(result) == ["No policy that uses a model was run, so there is nothing to compare it with."]


def test_a_model_left_alone_kept_nothing_right() -> None:
    words = told(run("never", 614))
    assert words.startswith(f"Left alone, the model was right in 61.4{NB}% of cases. It took no training after the")


def test_a_model_left_alone_still_has_a_rival() -> None:
    words = told(run("never", 614), run("every:1000", 745, 9))
    assert words.endswith(f"retraining every 1,000 rows took 9 and did better with 74.5{NB}%.")


def test_what_uses_a_model_is_spoken_of_before_what_does_not() -> None:
    result = backtest(run("last-class", 500, model=False), run("every:1000", 745, 9), run("never", 614))
    assert main_policy(result).name == "every:1000"
    assert headline(result).startswith(f"Retraining every 1,000 rows kept the model right in 74.5{NB}% of cases; left")


def test_the_pipelines_own_policy_stays_the_main_one() -> None:
    assert main_policy(backtest(run("every:1000", 745, 9), run("drift", 700, 2))).name == "drift"


def test_probes_stand_beside_the_trainings_they_are_compared_with() -> None:
    drift = replace(run("drift", 861, 4), probes=8)
    words = told(run("never", 614), drift, run("every:1000", 745, 9))
    assert words.endswith(
        "It took 4 trainings after the first one, and 8 probes (throw-away fits); "
        f"retraining every 1,000 rows took 9 trainings and reached 74.5{NB}%."
    )


def test_a_rival_s_probes_are_told_too() -> None:
    rival = replace(run("detector:adwin", 745, 3), probes=1)
    assert "retraining whenever adwin alarms took 3 trainings, 1 probe and reached" in told(run("drift", 861, 4), rival)
