"""`driftloop init` makes a project that is right as it stands."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from shared.domain.pipeline_file import read_pipeline
from tests.streams import stream
from tests.unit.cli.calls import call, write_rows


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adult")
    told = call("init", stream("adult_control"), "--label", "class", "--out", folder)
    assert told.code == 0
    return folder


def run_tests_in(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_its_own_tests_pass_with_plain_pytest(project: Path) -> None:
    ran = run_tests_in(project)
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout


def test_its_tests_fail_where_the_sample_breaks_the_contract(project: Path, tmp_path: Path) -> None:
    broken = (project / "pipeline.yaml").read_text().replace("name: age, kind: integer", "name: age, kind: boolean")
    (tmp_path / "tests").mkdir()
    (tmp_path / "pipeline.yaml").write_text(broken)
    (tmp_path / "sample.csv").write_bytes((project / "sample.csv").read_bytes())
    (tmp_path / "tests/test_contract.py").write_bytes((project / "tests/test_contract.py").read_bytes())
    ran = run_tests_in(tmp_path)
    assert ran.returncode == 1
    assert "column 'age' is neither true, false, 0 nor 1" in ran.stdout


def test_the_doctor_finds_it_well(project: Path) -> None:
    told = call("doctor", project)
    assert (told.code, "WRONG" in told.out) == (0, False)
    assert "all 200 rows keep the contract" in told.out


def test_the_pipeline_file_says_what_was_seen(project: Path) -> None:
    pipeline = read_pipeline(project / "pipeline.yaml")
    assert pipeline.name == "adult-control"
    assert [f.name for f in pipeline.contract.features if f.nullable] == ["workclass", "occupation", "native-country"]
    assert "# 17 to 90" in (project / "pipeline.yaml").read_text()


def test_the_commented_defaults_are_the_defaults(project: Path) -> None:
    text = (project / "pipeline.yaml").read_text()
    tail = text.partition("change them for a reason.\n")[2]
    given = yaml.safe_load("\n".join(line.removeprefix("# ") for line in tail.splitlines()))
    pipeline = read_pipeline(project / "pipeline.yaml").model_dump(mode="json")
    assert _covers(pipeline, given)


def _covers(whole: dict[str, object], part: dict[str, object]) -> bool:
    return all(
        _covers(whole[name], value) if isinstance(value, dict) else whole[name] == value  # type: ignore[arg-type]
        for name, value in part.items()
    )


def test_the_ci_job_checks_the_project(project: Path) -> None:
    job = yaml.safe_load((project / ".github/workflows/driftloop.yml").read_text())
    steps = [step.get("run") for step in job["jobs"]["contract"]["steps"]]
    assert steps[-2:] == ["driftloop doctor .", "pytest"]


def test_nothing_is_overwritten(project: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*.*") if path.is_file()}
    told = call("init", stream("adult_control"), "--label", "class", "--out", project)
    assert told.code == 2
    assert "nothing is overwritten" in told.err
    assert {path: path.read_bytes() for path in before} == before


def test_names_that_yaml_would_misread_are_quoted(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.csv", header='on,"a: b",class')
    assert call("init", data, "--label", "class", "--out", tmp_path / "out").code == 0
    features = read_pipeline(tmp_path / "out/pipeline.yaml").contract.features
    assert [feature.name for feature in features] == ["on", "a: b"]


def test_a_bad_cell_is_told_and_kept_out_of_the_sample(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.csv")
    head, first, *others = data.read_text().splitlines()
    data.write_text("\n".join([head, "bad," + first.partition(",")[2], *others]) + "\n")
    told = call("init", data, "--label", "class", "--out", tmp_path / "out")
    assert "note: column 'a' is taken for numbers, which 1 of its 400 values is not" in told.out
    assert ", 1 no numbers" in (tmp_path / "out/pipeline.yaml").read_text()
    assert call("doctor", tmp_path / "out").code == 0


def test_the_doctor_says_what_is_wrong_and_exits_with_1(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.csv")
    call("init", data, "--label", "class", "--out", tmp_path)
    sick = (tmp_path / "pipeline.yaml").read_text().replace("RandomForestClassifier", "RandomForestClasifier")
    (tmp_path / "pipeline.yaml").write_text(sick.replace("name: b, kind: number", "name: bb, kind: number"))
    told = call("doctor", tmp_path)
    wrong = [line for line in told.out.splitlines() if line.startswith("WRONG")]
    assert told.code == 1
    assert len(wrong) == 3
    assert "the nearest is 'RandomForestClassifier'" in wrong[0]
    assert "column 'bb' is missing" in wrong[1]
    assert "200 rows of 200: null:bb" in wrong[2]


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_the_doctor_looks_through_recorded_data(name: str, tmp_path: Path) -> None:
    text = write_rows(tmp_path / "rows.csv").read_bytes()
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(text))
    told = call("doctor", tmp_path / name)
    assert told.code == 0
    assert f"{name}: recorded data, 400 rows of 3 columns" in told.out


def test_the_doctor_says_what_is_wrong_with_a_packed_file(tmp_path: Path) -> None:
    (tmp_path / "torn.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n")[:-9])
    (tmp_path / "pipeline.yaml.gz").write_bytes(gzip.compress(b"name: x"))
    told = [call("doctor", tmp_path / name) for name in ("torn.csv.gz", "pipeline.yaml.gz")]
    assert [each.code for each in told] == [1, 1]
    assert "torn.csv.gz: can't be read" in told[0].out
    assert "pipeline.yaml.gz: only .csv, .csv.gz, .parquet, .pq files are read" in told[1].out


def test_the_doctor_holds_the_window_against_recorded_data(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.csv")
    call("init", data, "--label", "class", "--out", tmp_path)
    long = (tmp_path / "pipeline.yaml").read_text().replace("window: 50", "window: 4000")
    (tmp_path / "pipeline.yaml").write_text(long)
    told = call("doctor", tmp_path / "pipeline.yaml", "--data", data)
    assert told.code == 1
    assert "has 400 rows, but the first 4,000 are for the first training" in told.out
