"""`summary.json` and the ledger's NDJSON keep their shapes."""

from __future__ import annotations

import json

import pytest

from services.backtest.ledger_dump import dump, without_measurements
from services.backtest.summary import summary
from shared.domain.quality import classification_metrics
from shared.events.training import TrainingCompleted
from tests.unit.report import sample
from tests.unit.report.ledger import ledger

COMMON = ["retrainings", "promotions", "rejections", "rollbacks", "alarms", "data_faults"]
TIMES = ["train_seconds", "wall_seconds"]


def test_a_classification_summary_has_exactly_these_keys() -> None:
    told = json.loads(json.dumps(summary(sample.typical())))
    assert list(told) == ["data", "records", "initial", "label_delay", "policies"]
    assert [policy["name"] for policy in told["policies"]] == [p.name for p in sample.typical().policies]
    for policy in told["policies"]:
        assert list(policy) == ["name", "accuracy", "kappa", "f1_macro", *COMMON, *TIMES]


def test_a_regression_summary_holds_errors_instead() -> None:
    for policy in summary(sample.typical(regression=True))["policies"]:
        assert list(policy) == ["name", "mae", "rmse", *COMMON, *TIMES]
        assert 0 < policy["mae"] < policy["rmse"]


def test_the_summary_s_quality_is_that_of_the_counts() -> None:
    result = sample.typical()
    for told, policy in zip(summary(result)["policies"], result.policies, strict=True):
        assert told["accuracy"] == classification_metrics(policy.quality)["accuracy"]
        assert told["alarms"] == list(policy.alarms)


def test_without_labels_quality_is_null() -> None:
    result = sample.unlabelled()
    assert summary(result)["policies"][0]["accuracy"] is None


def test_a_dump_holds_every_event_with_type_id_and_data() -> None:
    events = ledger(20_000)
    lines = list(dump(events))
    assert len(lines) == len(events)
    for line, event in zip(lines, events, strict=True):
        assert line.endswith("\n")
        told = json.loads(line)
        assert (told["type"], told["id"]) == (event.type, event.event_id)
        assert type(event).model_validate(told["data"]) == event


def test_envelopes_join_their_lines() -> None:
    events = ledger(20_000)[:2]
    headers = [{"ce_time": "t0", "ce_correlationid": "e1", "ce_id": "x"}, {"ce_causationid": "c"}]
    first, second = (json.loads(line) for line in dump(events, headers))
    assert (first["time"], first["correlation"]) == ("t0", "e1")
    assert second["causation"] == "c"


def test_a_missing_envelope_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        list(dump(ledger(20_000)[:2], [{}]))


def test_runs_that_differ_in_measured_time_only_compare_equal() -> None:
    events = ledger(20_000)
    slower = [
        e.model_copy(update={"measured_seconds": e.measured_seconds + 1}) if isinstance(e, TrainingCompleted) else e
        for e in events
    ]
    assert list(dump(events)) != list(dump(slower))
    assert list(map(without_measurements, dump(events))) == list(map(without_measurements, dump(slower)))


def test_a_different_decision_stays_visible_without_measurements() -> None:
    events = ledger(20_000)
    done = next(e for e in events if isinstance(e, TrainingCompleted))
    ours, theirs = (next(dump([e])) for e in (done, done.model_copy(update={"rows": done.rows + 1})))
    assert without_measurements(ours) != without_measurements(theirs)
