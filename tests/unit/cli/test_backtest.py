"""`driftloop backtest` on a real stream: what it writes, what it says, and that it says the same twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from services.backtest.ledger_dump import without_measurements
from tests.streams import stream
from tests.unit.cli.calls import Called, call, write_rows

FAST = ("--estimator", "sklearn.naive_bayes.GaussianNB")


@dataclass(frozen=True, slots=True)
class Ran:
    folder: Path
    told: Called


@pytest.fixture(scope="module")
def keystroke(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("keystroke")
    data = stream("keystroke")
    return Ran(folder, call("backtest", data, "--label", "class", *FAST, "--initial", 400, "--out", folder))


def policy(told: str, name: str) -> dict[str, float]:
    return next(policy for policy in json.loads(told)["policies"] if policy["name"] == name)


def test_it_writes_a_report_a_ledger_and_a_summary(keystroke: Ran) -> None:
    assert keystroke.told.code == 0
    names = sorted(path.name for path in keystroke.folder.iterdir())
    assert names == ["ledger.jsonl", "report.html", "summary.json"]
    assert (keystroke.folder / "report.html").read_text().startswith("<!doctype html>")


def test_the_summary_counts_every_record_under_every_policy(keystroke: Ran) -> None:
    told = json.loads((keystroke.folder / "summary.json").read_text())
    assert (told["records"], told["initial"], told["label_delay"]) == (1600, 400, 0)
    assert [policy["name"] for policy in told["policies"]] == ["never", "every:400", "drift", "last-class"]


def test_retraining_on_drift_beats_an_untouched_model_where_typing_changes(keystroke: Ran) -> None:
    told = (keystroke.folder / "summary.json").read_text()
    assert policy(told, "drift")["kappa"] > policy(told, "never")["kappa"] + 0.1


def test_it_ends_with_a_table_a_sentence_and_the_place_of_the_report(keystroke: Ran) -> None:
    lines = keystroke.told.out.splitlines()
    assert lines[0].split() == [
        "policy",
        "accuracy",
        "kappa",
        "trained",
        "probes",
        "promoted",
        "undone",
        "alarms",
        "seconds",
    ]
    assert any(line.startswith("Retraining on drift ") for line in lines)
    assert lines[-1] == f"Report: {keystroke.folder / 'report.html'}"


def test_the_ledger_names_the_policy_of_each_line(keystroke: Ran) -> None:
    lines = (keystroke.folder / "ledger.jsonl").read_text().splitlines()
    assert {json.loads(line)["policy"] for line in lines} == {"never", "every:400", "drift"}


def test_a_single_policys_ledger_is_as_it_was_said(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.csv")
    call("backtest", data, "--label", "class", *FAST, "--policies", "drift", "--out", tmp_path / "out")
    lines = (tmp_path / "out" / "ledger.jsonl").read_text().splitlines()
    assert all(set(json.loads(line)) == {"type", "id", "data"} for line in lines)


def test_two_runs_differ_in_measured_times_alone(keystroke: Ran, tmp_path: Path) -> None:
    call("backtest", stream("keystroke"), "--label", "class", *FAST, "--initial", 400, "--out", tmp_path)
    first = (keystroke.folder / "ledger.jsonl").read_text().splitlines()
    second = (tmp_path / "ledger.jsonl").read_text().splitlines()
    assert [without_measurements(line) for line in first] == [without_measurements(line) for line in second]


def test_another_seed_trains_other_models(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.csv")
    few = ("--label", "class", "--policies", "never", "--param", "n_estimators=2")
    for seed in (1, 2):
        call("backtest", data, *few, "--seed", seed, "--out", tmp_path / str(seed))
    first, second = ((tmp_path / str(seed) / "ledger.jsonl").read_text() for seed in (1, 2))
    assert first.partition('"model":')[2][:70] != second.partition('"model":')[2][:70]


def test_json_prints_the_summary_and_nothing_else(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.csv", header="a,b,class")
    arguments = ("--label", "class", *FAST, "--policies", "never,last-class", "--json", "--out", tmp_path / "out")
    told = call("backtest", data, *arguments)
    assert told.out == (tmp_path / "out" / "summary.json").read_text()
    assert json.loads(told.out)["policies"][0]["name"] == "never"


def test_csv_gz_and_parquet_of_the_same_rows_come_out_alike(tmp_path: Path) -> None:
    text = write_rows(tmp_path / "rows.csv")
    pq.write_table(pacsv.read_csv(text), tmp_path / "rows.parquet")
    told = [
        json.loads(
            call(
                "backtest", path, "--label", "class", *FAST, "--policies", "drift", "--json", "--out", tmp_path / "o"
            ).out
        )
        for path in (text, tmp_path / "rows.parquet")
    ]
    for summary in told:
        summary.pop("data")
        for each in summary["policies"]:
            each.pop("train_seconds"), each.pop("wall_seconds")
    assert told[0] == told[1]


def test_labels_that_come_late_are_used_late(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.csv")
    arguments = ("--label", "class", *FAST, "--policies", "drift,last-class", "--label-delay", 40, "--json")
    told = json.loads(call("backtest", data, *arguments, "--out", tmp_path / "out").out)
    assert told["label_delay"] == 40
    assert policy(json.dumps(told), "drift")["accuracy"] > 0.9


def test_blocks_are_what_the_input_test_counts(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.csv")
    call("backtest", data, "--label", "class", *FAST, "--policies", "never", "--block", 24, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "unit: blocks" in page
    assert "epoch: 24" in page


@pytest.mark.parametrize(("block", "told"), [(18, True), (17, False)])
def test_too_few_blocks_are_said_to_be(block: int, told: bool, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.csv")
    arguments = ("--label", "class", "--policies", "last-class", "--block", block, "--out", tmp_path / "out")
    warned = "the stream has 19 of 18 rows; give shorter ones" in call("backtest", data, *arguments).err
    assert warned is told


@pytest.mark.parametrize("policy", ["never", "last-class"])
def test_the_doctor_finds_its_folder_well(policy: str, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.csv")
    call("backtest", data, "--label", "class", *FAST, "--policies", policy, "--out", tmp_path / "out")
    told = call("doctor", tmp_path / "out")
    assert (told.code, "WRONG" in told.out) == (0, False)
    assert "the folder of a backtest" in told.out


def test_a_number_is_predicted_by_regression(tmp_path: Path) -> None:
    rows = [f"{x / 400:.4f},{2 * x}.5" for x in range(400)]
    (tmp_path / "rows.csv").write_text("a,y\n" + "\n".join(rows[::2] + rows[1::2]) + "\n")
    arguments = ("--label", "y", "--policies", "never,last-class", "--param", "n_estimators=5", "--json")
    told = call("backtest", tmp_path / "rows.csv", *arguments, "--out", tmp_path / "out")
    assert set(policy(told.out, "never")) >= {"mae", "rmse"}


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    lines = write_rows(tmp_path / "rows.csv").read_text().splitlines()
    numbered = [f"{place},{line}" for place, line in enumerate(lines[1:])]
    (tmp_path / "rows.csv").write_text("\n".join([f"row,{lines[0]}", *numbered]) + "\n")
    told = call(
        "backtest", tmp_path / "rows.csv", "--label", "class", "--policies", "last-class", "--out", tmp_path / "out"
    )
    assert "note: column 'row' is left out: it only counts the rows" in told.err
