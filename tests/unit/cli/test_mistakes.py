"""A user's mistake is one line on standard error and exit code 2; a defect of ours is not hidden."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from services.cli import main as entry
from services.cli import options
from services.cli.errors import UserError
from services.cli.folders import try_folder
from shared.domain import pipeline
from tests.unit.cli.calls import call, write_rows


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files with something wrong with each, and one without."""
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "ok.csv")
    write_rows(tmp_path / "one-class.csv", label="x")
    (tmp_path / "no-label.csv").write_text("a,b,class\n" + "1,2,\n2,3,\n" * 200)
    write_rows(tmp_path / "constant.csv", fixed="1")
    write_rows(tmp_path / "short.csv", 30)
    write_rows(tmp_path / "twins.csv", header="a,a,class")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("a,b,class\n")
    (tmp_path / "ragged.csv").write_text("a,b,class\n" + "1,2,x\n" * 100 + "1,2\n")
    (tmp_path / "latin.csv").write_bytes(b"a,class\n" + b"\xe4,1\n" * 100)
    write_rows(tmp_path / "nameless.csv", header="a,b,")
    write_rows(tmp_path / "own.csv", header="a,b,_class")
    (tmp_path / "ok.txt").write_text("a\n1\n")
    (tmp_path / "folder").mkdir()
    for name in ("ok.csv.gz", "ok.ndjson.zst", "ok.parquet"):
        (tmp_path / name).write_bytes(b"packed")
    (tmp_path / "steps.yaml").write_text(STEPS)
    (tmp_path / "sick.yaml").write_text("name: x\ncontract: [\n")
    (tmp_path / "typo.yaml").write_text(
        "name: x\nwindwo: 50\ncontract:\n  features: [{name: a, kind: number}]\n  label: {name: class}\n"
    )
    for name, column in (("other.yaml", "aa"), ("right.yaml", "a")):
        contract = f"features: [{{name: {column}, kind: number}}], label: {{name: class}}"
        (tmp_path / name).write_text(f"name: x\nwindow: 50\ncontract: {{{contract}}}\n")
    right = (tmp_path / "right.yaml").read_text()
    (tmp_path / "detector.yaml").write_text(f"{right}drift: {{detector: adwinn}}\n")
    return tmp_path


STEPS = """
name: x
window: 50
contract: {features: [{name: a, kind: number}], label: {name: class}}
estimator: {path: sklearn.pipeline.Pipeline, parameters: {steps: [scale, model]}}
"""
HUGE = 99999999999999999999
MISTAKES = {
    "empty.csv --label class": "is empty",
    "header.csv --label class": "has column names but no row",
    "missing.csv --label class": "there is no such file",
    ". --label class": "is no file",
    "ok.txt --label class": "only .csv",
    "latin.csv --label class": "is not UTF-8",
    "ragged.csv --label class": "Expected 3 columns, got 2",
    "twins.csv --label class": "column 'a' comes twice",
    "short.csv --label class": "has 30 rows, but the first 50",
    "ok.csv": "Give --label COL, or --pipeline FILE; there are a, b, class",
    "ok.csv --label clas": "the nearest is 'class'",
    "ok.csv --label class --drop z": "dropped column 'z': there is no such column",
    "one-class.csv --label class": "is 'x' in every row",
    "no-label.csv --label class": "is empty, or no single value, in every row",
    "constant.csv --label class": "column 'a' is left out: it is '1' in every row",
    "ok.csv --label class --policies nevr": "there is no policy 'nevr'; known: never",
    "ok.csv --label class --policies ,": "no policy is named",
    "ok.csv --label class --policies detector:adwinn": "the nearest is 'adwin'",
    "ok.csv --label class --estimator os.system": "only estimators of sklearn",
    "ok.csv --label class --estimator sklearn.ensemble.RandomForest": "has no 'RandomForest'; the nearest",
    "ok.csv --label class --param n_estimator=3": "the nearest is 'n_estimators'",
    "ok.csv --label class --param n_estimators": "has to be NAME=VALUE",
    "ok.csv --label class --param n_estimators=[": "the value is not YAML",
    "ok.csv --label class --param n_estimators=-3": "The 'n_estimators' parameter of RandomForestClassifier must",
    "ok.csv --label class --estimator sklearn.linear_model.LinearRegression": "is none for classification: give a cl",
    "ok.csv --label class --estimator sklearn.cluster.KMeans": "is none for classification: give a classifier",
    "ok.csv --label class --estimator sklearn.preprocessing.StandardScaler": "has no 'predict'",
    "ok.csv --label a --estimator sklearn.linear_model.LogisticRegression": "is none for regression: give a regressor",
    "ok.csv --pipeline steps.yaml": "steps, number 1: write it as [NAME, {path: ",
    "ok.csv --label class --policies every:1": "policy 'every:1': N labelled rows have to train a model; give 2 to",
    "ok.csv --label class --policies every:²": "there is no policy 'every:²'",
    f"ok.csv --label class --policies every:{HUGE}": "give 2 to 1,000,000,000",
    f"ok.csv --label class --seed {HUGE}": "Invalid value for '--seed'",
    "ok.csv --label class --drop a --drop class": "label 'class' is dropped too",
    "nameless.csv --label=": "label '' has no name; rename the column",
    "own.csv --label _class": "has a name that begins with '_', as Driftloop's own do; rename the column",
    "ok.csv --pipeline missing.yaml": "can't be opened",
    "ok.csv --pipeline sick.yaml": "is not YAML",
    "ok.csv --pipeline typo.yaml": "the nearest is 'window'",
    "ok.csv --pipeline other.yaml": "has no column 'aa'; the nearest is 'a'",
    "ok.csv --pipeline other.yaml --label class": "--label goes without --pipeline",
    "no-label.csv --pipeline right.yaml": "no label ever comes",
    "ok.csv --label class --initial 5": "Invalid value for '--initial'",
    "ok.csv --label class --bogus": "No such option: --bogus",
    "": "Missing argument 'data'; see 'driftloop backtest --help'",
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_a_mistake_in_a_backtest_is_one_line_and_code_2(arguments: str, folder: Path) -> None:
    told = call("backtest", *arguments.split(), "--out", folder / "out")
    assert (told.code, told.out) == (2, "")
    # On a busy machine progress may be told before a mistake that only the data show.
    [line] = [line for line in told.err.splitlines() if " rows/s, " not in line]
    assert line.startswith("driftloop: ")
    assert MISTAKES[arguments] in line
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ("init ok.csv --label clas", "the nearest is 'class'"),
        ("run --pipeline sick.yaml", "is not YAML"),
        ("run --pipeline other.yaml missing.ndjson", "there is no such file"),
        ("run --pipeline other.yaml --follow", "--follow goes with a file"),
        ("run --pipeline folder", "can't be opened"),
        ("run --pipeline right.yaml folder", "folder: is a folder; give the file that holds the records"),
        ("run --pipeline right.yaml ok.csv.gz", "zcat ok.csv.gz | driftloop run --format csv"),
        ("run --pipeline right.yaml ok.ndjson.zst", "zstdcat ok.ndjson.zst | driftloop run …"),
        ("run --pipeline right.yaml ok.parquet", "'driftloop backtest' reads it"),
        ("run --pipeline steps.yaml ok.csv", "steps, number 1"),
        ("apply steps.yaml", "steps, number 1"),
        ("apply detector.yaml", "the nearest is 'adwin'"),
        (f"demo --seed {HUGE}", "Invalid value for '--seed'"),
        ("demo --rows 10", "Invalid value for '--rows'"),
        ("timeline", "which folder?"),
        ("timeline .", "holds no ledger.jsonl"),
        ("explain 12 .", "holds no ledger.jsonl"),
        ("doctor nowhere", "there is no such file or folder"),
        ("bogus", "No such command 'bogus'"),
    ],
)
def test_a_mistake_in_any_command_is_one_line_and_code_2(arguments: str, cause: str, folder: Path) -> None:
    told = call(*arguments.split())
    assert (told.code, told.out) == (2, "")
    assert told.err.count("\n") == 1
    assert cause in told.err


@pytest.mark.parametrize(
    "arguments",
    ["backtest ok.csv --label class --out", "init ok.csv --label class --out", "demo --out",
     "run --pipeline right.yaml ok.csv --dir"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["ok.txt", "ok.txt/below", "ok.txt/far/below"])
def test_a_file_where_a_folder_is_wanted_is_noticed_before_any_work(arguments: str, place: str, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    told = call(*arguments.split(), place)
    assert (told.code, told.out) == (2, "")
    option = arguments.rpartition(" ")[2]
    assert told.err == (
        "driftloop: ok.txt: nothing can be written there: it is a file, and a folder is wanted; "
        f"give another folder with {option}\n"
    )
    assert sorted(folder.rglob("*")) == before


def test_a_file_within_a_new_projects_folder_is_noticed_too(folder: Path) -> None:
    (folder / "project").mkdir()
    (folder / "project/tests").write_text("")
    told = call("init", "ok.csv", "--label", "class", "--out", "project")
    assert told.code == 2
    assert "project/tests: nothing can be written there" in told.err
    assert [path.name for path in (folder / "project").iterdir()] == ["tests"]


def test_a_trial_of_a_folder_leaves_what_was_there_and_nothing_else(folder: Path) -> None:
    try_folder(folder / "new/newer", "--out")
    assert not (folder / "new").exists()
    try_folder(folder / "folder", "--out")
    assert list((folder / "folder").iterdir()) == []


def test_a_folder_that_takes_no_file_is_refused() -> None:
    with pytest.raises(UserError, match=r"nothing can be written there: .*; give another folder with --out"):
        try_folder(Path("/proc/1"), "--out")


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("{\n", "line 1 is not JSON"),
        ("{", "nothing has happened yet"),
        ('{"type": "x"}', "line 1 is no ledger event"),
        ('{"type": "driftloop.drift.cleared.v1", "data": {}}', "is damaged at 'pipeline'"),
        ("", "nothing has happened yet"),
    ],
)
def test_a_damaged_ledger_is_named_with_its_place(line: str, cause: str, folder: Path) -> None:
    (folder / "ledger.jsonl").write_text(line)
    told = call("status", folder)
    assert told.code == 2
    assert cause in told.err


def test_libraries_warnings_are_not_told_and_our_own_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = ("--estimator", "sklearn.neural_network.MLPClassifier", "--param", "max_iter=1", "--policies", "never")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        assert call("backtest", "ok.csv", "--label", "class", *network, "--out", "out").code == 0
        assert not told
        monkeypatch.setattr(entry, "app", lambda *_, **__: warnings.warn("ours", stacklevel=1))
        call("--help")
        assert [str(each.message) for each in told] == ["ours"]


def test_the_options_largest_seed_is_the_pipeline_files() -> None:
    assert options.LARGEST_SEED == pipeline.LARGEST_SEED


def test_an_error_of_our_own_is_not_taken_for_the_users(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(entry, "app", broken)
    with pytest.raises(ValueError, match="a defect"):
        call("--help")
