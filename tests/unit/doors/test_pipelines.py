"""Pipeline files and models: checked before anything is stored, stored before anything is said."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import skops.io
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from services.ingestion.conversion import convert
from shared.domain.design import Column
from shared.domain.digest import digest
from shared.domain.models import Model, dump_model
from shared.domain.pipeline_file import canonical_bytes, parse_pipeline
from shared.events.commands import ApplyPipeline
from tests.unit.doors.bench import House, opened

FILE = """\
name: mill
contract:
  features:
    - {name: speed, kind: number}
    - {name: load, kind: integer}
  label: {name: broken}
estimator: {path: sklearn.linear_model.LogisticRegression}
"""
DOCUMENT = parse_pipeline(FILE).model_dump(mode="json", exclude_defaults=True)
YAML = {"content-type": "application/yaml"}
JSON = {"content-type": "application/json"}


@pytest.fixture
def house() -> Iterator[House]:
    with opened(None) as running:
        yield running


@cache
def model(columns: tuple[Column, ...] = (Column("speed", "number"), Column("load", "integer"))) -> bytes:
    values = np.arange(40.0).reshape(20, 2)[:, : len(columns)]
    return dump_model(Model("classification", columns, LogisticRegression().fit(values, ["no", "yes"] * 10)))


def put(house: House, text: str | bytes, name: str = "mill", query: str = "", **headers: str) -> Any:
    return house.client.put(f"/v1/pipelines/{name}{query}", content=text, headers=YAML | headers)


def test_a_file_is_stored_in_its_canonical_form_and_a_command_names_it(house: House) -> None:
    answer = put(house, FILE)
    pipeline = parse_pipeline(FILE)
    assert answer.status_code == 202, answer.text
    assert answer.json()["file"] == digest(canonical_bytes(pipeline))
    assert house.blobs.get(answer.json()["file"]) == canonical_bytes(pipeline)
    command = answer.json()["command"]
    assert house.commands() == [ApplyPipeline(pipeline="mill", command=command, file=answer.json()["file"])]


def test_json_says_the_same_as_yaml_tabs_and_escapes_and_all(house: House) -> None:
    document = deepcopy(DOCUMENT)
    document["contract"]["features"][0]["name"] = "speed \N{ROCKET}"
    text = json.dumps(document, indent="\t")
    assert "\\ud83d" in text
    answer = put(house, text, **JSON)
    assert answer.status_code == 202, answer.text
    assert "speed \N{ROCKET}".encode() in house.blobs.get(answer.json()["file"])


def test_applying_a_file_again_is_a_new_command(house: House) -> None:
    assert put(house, FILE).json()["command"] != put(house, FILE).json()["command"]
    assert len(house.commands()) == 2


def test_all_mistakes_of_a_file_come_at_once(house: House) -> None:
    answer = put(house, FILE.replace("number", "numbre").replace("label: {", "label: {arives: late, "))
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid-pipeline-file")
    assert len(answer.json()["problems"]) == 2
    assert any("line 4" in problem for problem in answer.json()["problems"])
    assert house.commands() == []


@pytest.mark.parametrize(
    ("text", "headers", "status", "told"),
    [
        (FILE.replace("name: mill", "name: mole"), {}, 422, "'mole'"),
        (FILE.replace("LogisticRegression", "LogisticRegresion"), {}, 422, "LogisticRegression"),
        (FILE.replace("sklearn.linear_model", "os"), {}, 422, "only estimators of"),
        ("", {}, 422, "empty"),
        ("- 1", {}, 422, "mapping"),
        (b"\xff\xfe", {}, 400, "UTF-8"),
        ("{", JSON, 400, "not JSON"),
        ('{"name": "mill", "name": "mole"}', JSON, 400, "comes twice"),
        (FILE.replace("LogisticRegression", "LogisticRegression, parameters: {C: banana}"), {}, 422, "Got 'banana'"),
        (FILE + "<<: {seed: 1}", {}, 422, "line 8: <<: merge keys"),
        (json.dumps(DOCUMENT | {"<<": {"seed": 1}}), JSON, 422, "<<: is no known key"),
        (FILE.replace("name: mill", "name: &a mill\nseed: *a"), {}, 422, "aliases"),
        (FILE + "#" * 300_000, {}, 413, "larger"),
        (FILE.replace("speed", '"\\ud800"'), {}, 422, ""),
        ("[" * 20_000, {}, 422, ""),
        ("[" * 20_000, JSON, 400, ""),
    ],
)
def test_a_file_that_cannot_be_used_says_why_and_leaves_nothing(
    house: House, text: str | bytes, headers: dict[str, str], status: int, told: str
) -> None:
    answer = put(house, text, **headers)
    assert answer.status_code == status, answer.text
    assert told in answer.json()["detail"]
    assert house.commands() == []


def test_an_existing_model_comes_along(house: House) -> None:
    stored = house.client.put("/v1/models", content=model())
    assert stored.status_code == 201
    assert stored.json() == {"model": digest(model()), "task": "classification", "columns": ["speed", "load"]}
    answer = put(house, FILE, query=f"?model={digest(model())}")
    assert answer.status_code == 202, answer.text
    [command] = house.commands()
    assert isinstance(command, ApplyPipeline)
    assert command.model == answer.json()["model"] == digest(model())


def test_a_model_may_read_features_of_every_kind_that_models_read(house: House) -> None:
    kinds = ("number", "integer", "boolean", "category")
    columns = tuple(Column(kind, kind, ("red", "green") if kind == "category" else ()) for kind in kinds)
    values = np.arange(100.0).reshape(20, 5)
    brought = dump_model(Model("classification", columns, LogisticRegression().fit(values, ["no", "yes"] * 10)))
    house.client.put("/v1/models", content=brought)
    features = "".join(f"    - {{name: {kind}, kind: {kind}}}\n" for kind in kinds)
    text = f"name: mill\ncontract:\n  features:\n{features}  label: {{name: broken}}\n"
    answer = put(house, text, query=f"?model={digest(brought)}")
    assert answer.status_code == 202, answer.text


def test_a_model_that_was_never_brought_or_does_not_fit_is_refused(house: House) -> None:
    strange = model((Column("depth", "number"),))
    house.client.put("/v1/models", content=strange)
    for name, reason in ((digest(b"?"), "no-model"), (digest(strange), "model-does-not-fit")):
        answer = put(house, FILE, query=f"?model={name}")
        assert (answer.status_code, answer.json()["reason"]) == (422, reason)
    assert put(house, FILE, query="?model=../../etc/passwd").status_code == 422
    assert house.commands() == []


def test_a_model_whose_features_make_another_matrix_is_refused(house: House) -> None:
    values = np.arange(60.0).reshape(20, 3)
    columns = (Column("speed", "number"), Column("load", "integer"))
    brought = dump_model(Model("classification", columns, LogisticRegression().fit(values, ["no", "yes"] * 10)))
    house.client.put("/v1/models", content=brought)
    answer = put(house, FILE, query=f"?model={digest(brought)}")
    assert (answer.status_code, answer.json()["reason"]) == (422, "model-does-not-fit")
    assert "fitted on 3 columns" in answer.json()["detail"]


COLUMNS = (Column("speed", "number"), Column("load", "integer"))
VALUES = np.arange(40.0).reshape(20, 2)
LINEAR = LogisticRegression()


def applied(house: House, brought: Model, text: str = FILE) -> Any:
    stored = house.client.put("/v1/models", content=dump_model(brought))
    assert stored.status_code == 201, stored.text
    return put(house, text, query=f"?model={stored.json()['model']}")


@pytest.mark.parametrize(
    ("classes", "texts"),
    [(np.array([0, 1]), {"0", "1"}), (np.array([False, True]), {"false", "true"}), (np.array([0.0, 1.0]), {"0", "1"})],
)
@pytest.mark.parametrize("kind", [LogisticRegression, RidgeClassifier, RandomForestClassifier])
def test_a_model_answers_with_the_texts_that_its_classes_have_as_labels(
    house: House, kind: Any, classes: Any, texts: set[str]
) -> None:
    brought = Model("classification", COLUMNS, kind().fit(VALUES, np.repeat(classes, 10)))
    assert applied(house, brought).status_code == 202
    said, _ = brought.predict(pa.table({"speed": VALUES[:, 0], "load": VALUES[:, 1].astype(int)}))
    labels = convert(pa.array(np.repeat(classes, 10)), pa.string()).values
    assert said.type == pa.string()
    assert set(said.to_pylist()) == set(labels.to_pylist()) == texts


GAPS = FILE.replace("kind: number", "kind: number, nullable: true")


@pytest.mark.parametrize(
    ("columns", "estimator", "text", "told"),
    [
        (COLUMNS, LINEAR, FILE, r"can't predict a row \(NotFittedError at \w+\.py:\d+\); fit its estimator"),
        (COLUMNS, LinearRegression().fit(VALUES, VALUES[:, 0]), FILE, "LinearRegression, which is no classifier"),
        (COLUMNS, StandardScaler().fit(VALUES), FILE, "StandardScaler, which is no classifier"),
        (COLUMNS, "forest", FILE, "str, which is no classifier"),
        (COLUMNS[:1] * 2, clone(LINEAR).fit(VALUES, ["no", "yes"] * 10), FILE, "column 'speed' twice"),
        (COLUMNS, clone(LINEAR).fit(VALUES, ["no", "y" * 4000] * 10), FILE, "takes 4,000 bytes, and labels 1,024"),
        (COLUMNS, clone(LINEAR).fit(VALUES, ["no", "yes"] * 10), GAPS, r"nullable features are empty \(ValueError at "),
        (COLUMNS, KNeighborsClassifier().fit(VALUES, VALUES.astype(int)), FILE, r"can't predict a row \(\w+ at "),
    ],
    ids=["unfitted", "regressor", "scaler", "text", "twice", "long", "gaps", "answers"],
)
def test_a_model_that_could_not_answer_is_refused(
    house: House, columns: tuple[Column, ...], estimator: Any, text: str, told: str
) -> None:
    answer = applied(house, Model("classification", columns, estimator), text)
    assert (answer.status_code, answer.json()["reason"]) == (422, "model-does-not-fit")
    assert re.search(told, answer.json()["detail"]), answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]
    assert house.commands() == []


def test_a_model_that_knows_what_to_do_with_gaps_is_taken(house: House) -> None:
    estimator = make_pipeline(SimpleImputer(), LogisticRegression()).fit(VALUES, ["no", "yes"] * 10)
    assert applied(house, Model("classification", COLUMNS, estimator), GAPS).status_code == 202


def test_a_model_of_a_regression_is_refused_for_want_of_a_scale(house: House) -> None:
    values = np.arange(40.0).reshape(20, 2)
    columns = (Column("speed", "number"), Column("load", "integer"))
    brought = dump_model(Model("regression", columns, LinearRegression().fit(values, values[:, 0])))
    house.client.put("/v1/models", content=brought)
    text = FILE.replace("label: {name: broken}", "label: {name: broken, task: regression}")
    answer = put(house, text.replace("LogisticRegression", "LinearRegression"), query=f"?model={digest(brought)}")
    assert (answer.status_code, answer.json()["reason"]) == (422, "model-does-not-fit")
    assert "whole error" in answer.json()["detail"]


def bomb() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * 600_000_000)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("blob", "status", "reason"),
    [
        (b"", 422, "unreadable-model"),
        (b"PK nothing", 422, "unreadable-model"),
        (skops.io.dumps({"task": "classification"}), 422, "unreadable-model"),
        (skops.io.dumps(print), 422, "untrusted-model"),
        (bomb(), 413, "body-too-large"),
    ],
    ids=["empty", "torn", "other", "untrusted", "bomb"],
)
def test_what_is_no_model_of_ours_is_not_stored(house: House, blob: bytes, status: int, reason: str) -> None:
    answer = house.client.put("/v1/models", content=blob)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert not house.blobs.contains(digest(blob))
