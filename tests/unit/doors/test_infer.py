"""The Open Inference Protocol over a served champion, and the rows that it leaves for the stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest

from services.ingestion.core import Ingestion
from shared.access.bodies import Limits
from shared.access.tokens import TokenFile, issue, line_of
from shared.domain.contract import Label
from shared.domain.models import load_model
from shared.domain.pipeline_file import canonical_bytes
from shared.domain.rows import ID, decode_batch, ingested_schema
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Append, Unit
from tests.unit.doors.serving import INFER, MILL, Counter, model, opened, outputs, question, tensor
from tests.unit.ingestion.doors import as_message, serving_message


@pytest.fixture
def counter() -> Iterator[Counter]:
    with opened() as running:
        running.serve()
        yield running


def test_the_answer_is_what_the_model_says_of_the_same_rows(counter: Counter) -> None:
    rows = pa.table({"speed": [30.0, 2.5], "maker": ["acme", "nobody"]})
    predicted, score = load_model(model()).predict(rows)
    answer = counter.infer(question(id="42"))
    found = outputs(answer)
    assert found["prediction"] == predicted.to_pylist() == ["yes", "no"]
    assert found["score"] == score.tolist()
    document = answer.json()
    assert (document["model_name"], document["model_version"], document["id"]) == ("mill", "v1", "42")
    assert document["outputs"][0] == {"name": "prediction", "datatype": "BYTES", "shape": [2], "data": ["yes", "no"]}


def test_a_regression_answers_in_numbers(counter: Counter) -> None:
    label = Label(name="broken", task="regression")
    contract = MILL.contract.model_copy(update={"label": label})
    counter.serve(MILL.model_copy(update={"contract": contract}), "v2", model("regression"))
    answer = counter.infer()
    assert outputs(answer)["prediction"] == pytest.approx([60.0, 5.0], abs=1e-6)
    assert answer.json()["outputs"][0]["datatype"] == "FP64"
    assert "score" not in outputs(answer)


def test_a_model_without_probabilities_has_no_score(counter: Counter) -> None:
    counter.serve(MILL, "v2", model("unsure"))
    assert outputs(counter.infer()).keys() == {"prediction", ID}


def test_columns_of_one_and_nested_data_are_columns_too(counter: Counter) -> None:
    inputs = [
        {"name": "speed", "datatype": "FP64", "shape": [2, 1], "data": [[30.0], [2.5]]},
        {"name": "maker", "datatype": "BYTES", "shape": [2, 1], "data": ["acme", None]},
    ]
    assert outputs(counter.infer({"inputs": inputs}))["prediction"] == ["yes", "no"]


def test_the_wanted_outputs_come_in_the_wanted_order(counter: Counter) -> None:
    answer = counter.infer(question(outputs=[{"name": "score"}, {"name": "prediction"}]))
    assert [output["name"] for output in answer.json()["outputs"]] == ["score", "prediction"]
    refused = counter.infer(question(outputs=[{"name": "odds"}]))
    assert (refused.status_code, refused.json()["reason"]) == (400, "wrong-outputs")
    assert len(counter.offered) == 1


def test_the_rows_are_left_for_ingestion_which_gives_them_the_promised_ids(counter: Counter) -> None:
    answer = counter.infer(None, INFER, **{"Idempotency-Key": "k"})
    assert answer.json()["parameters"] == {"logged": True}
    [offer] = counter.offered
    core = Ingestion()
    state = core.initial(Unit("mill"))
    file = counter.blobs.put(canonical_bytes(MILL))
    state = core.handle(state, serving_message("mill", file), BlobReader(counter.blobs)).state
    [append] = core.handle(state, as_message(offer), BlobReader(counter.blobs)).effects
    assert isinstance(append, Append)
    rows = decode_batch(append.value, ingested_schema(MILL.contract))
    assert rows.select(["speed", "maker"]).to_pylist() == [
        {"speed": 30.0, "maker": "acme"}, {"speed": 2.5, "maker": "nobody"},
    ]  # fmt: skip
    assert rows.column(ID).to_pylist() == outputs(answer)[ID]


def test_rows_that_shall_not_be_logged_are_not(counter: Counter) -> None:
    answer = counter.infer(question(parameters={"log": False}))
    assert outputs(answer).keys() == {"prediction", "score"}
    assert answer.json()["parameters"] == {"logged": False}
    assert counter.offered == []


def test_an_answer_comes_even_where_there_is_no_room_for_its_rows_and_says_so(counter: Counter) -> None:
    counter.room = 0
    answer = counter.infer()
    assert outputs(answer)["prediction"] == ["yes", "no"]
    assert answer.json()["parameters"] == {"logged": False}


def keys(counter: Counter) -> list[str]:
    return [offer.headers["idempotency-key"] for offer in counter.offered]


def test_an_attempt_that_is_repeated_counts_once_and_a_reused_id_hides_nothing(counter: Counter) -> None:
    other = question(id="1", inputs=[tensor("speed", "FP64", 1.0), tensor("maker", "BYTES", "acme")])
    for body in (question(id="1"), question(id="1"), other, question(), question()):
        assert counter.infer(body).status_code == 200
    first, again, another, fresh, fresher = keys(counter)
    assert first == again
    assert len({first, another, fresh, fresher}) == 4


def test_a_contract_with_a_record_id_needs_it_only_where_rows_are_logged() -> None:
    contract = MILL.contract.model_copy(update={"record_id": "crate", "event_time": "at"})
    with opened() as counter:
        counter.serve(MILL.model_copy(update={"contract": contract}))
        unnamed = counter.infer()
        assert (unnamed.status_code, unnamed.json()["missing"]) == (400, ["crate"])
        assert counter.infer(question(parameters={"log": False})).status_code == 200
        named = question()
        named["inputs"] += [tensor("crate", "BYTES", "a", "b"), tensor("at", "INT64", 0, 1)]
        assert outputs(counter.infer(named)).keys() == {"prediction", "score"}
        assert json.loads(counter.offered[0].value)["crate"] == ["a", "b"]
        named["inputs"][2] = tensor("crate", "BYTES", "a", None)
        assert counter.infer(named).json()["reason"] == "missing-id"


@pytest.mark.parametrize(
    ("body", "reason", "told"),
    [
        ({"inputs": [tensor("speed", "FP64", 1.0)]}, "wrong-tensors", "missing: 'maker'"),
        ({"inputs": [*question()["inputs"], tensor("depth", "FP64", 1.0, 2.0)]}, "wrong-tensors", "unknown: 'depth'"),
        ({"inputs": [*question()["inputs"], tensor("speed", "FP64", 1.0)]}, "tensor-twice", "same name"),
        ({"inputs": [tensor("speed", "FP64", "x", "y"), tensor("maker", "BYTES", "a", "b")]}, "wrong-type", "'speed'"),
        ({"inputs": [tensor("speed", "FP64", 1.0), tensor("maker", "BYTES", "a", "b")]}, "wrong-shape", "same number"),
        ({"inputs": [tensor("speed", "FP64"), tensor("maker", "BYTES")]}, "wrong-shape", "one at least"),
        ({"inputs": [tensor("speed", "FP64", 1.0, shape=[3]), tensor("maker", "BYTES", "a")]}, "wrong-shape", "[1]"),
        (
            {"inputs": [{"name": "speed", "parameters": {"binary_data_size": 8}}, {"name": "maker"}]},
            "no-data",
            "binary",
        ),
        ({"inputs": [1]}, "no-inputs", "list of tensors"),
        ({"inputs": [{"data": []}]}, "no-inputs", "needs a name"),
        ({}, "no-inputs", "'inputs'"),
        ([], "unreadable", "object"),
        (question(id=7), "wrong-id", "string"),
        (question(parameters={"log": "no"}), "wrong-parameters", "true or false"),
        (question(parameters=[]), "wrong-parameters", "object"),
        (question(outputs="score"), "wrong-outputs", "list"),
    ],
)
def test_a_request_that_is_wrong_is_told_what_is(counter: Counter, body: Any, reason: str, told: str) -> None:
    answer = counter.infer(body)
    assert (answer.status_code, answer.json()["reason"]) == (400, reason), answer.text
    assert told in answer.json()["error"]
    assert counter.offered == []


@pytest.mark.parametrize("body", [b"{", b"", b"[" * 100_000, b'{"inputs": NaN}', b"\xff", b'{"inputs": [1e999]}'])
def test_bytes_that_are_no_request_are_refused(counter: Counter, body: bytes) -> None:
    answer = counter.client.post(INFER, content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_a_model_that_cannot_score_gaps_says_which(counter: Counter) -> None:
    counter.serve(MILL, "v2", model("gaps"))
    inputs = [tensor("speed", "FP64", None, 2.5), tensor("maker", "BYTES", "acme", "acme")]
    answer = counter.infer({"inputs": inputs})
    assert (answer.status_code, answer.json()["reason"]) == (422, "not-scorable")
    assert "speed" in answer.json()["detail"]


def test_a_pipeline_that_collects_has_no_champion_yet(counter: Counter) -> None:
    counter.serve(MILL.model_copy(update={"name": "young"}), version=None)
    for answer in (counter.infer(None, "/v2/models/young/infer"), counter.client.get("/v2/models/young/ready")):
        assert (answer.status_code, answer.json()["reason"]) == (503, "no-champion")
    assert counter.client.get("/v2/models/young").json()["versions"] == []


def test_nobody_answers_before_everything_that_was_said_of_who_serves_is_known(counter: Counter) -> None:
    counter.ready = False
    for answer in (counter.infer(), counter.client.get("/v2/models/mill"), counter.client.get("/v2/models/mill/ready")):
        assert (answer.status_code, answer.json()["reason"]) == (503, "not-loaded")
        assert answer.headers["retry-after"] == "1"
    counter.ready = True
    assert counter.infer().json()["model_version"] == "v1"


@pytest.mark.parametrize("path", ["", "/infer", "/ready"])
def test_only_the_champion_is_served(counter: Counter, path: str) -> None:
    method = "POST" if path == "/infer" else "GET"
    for version, status in (("v1", 200), ("v0", 404)):
        answer = counter.client.request(method, f"/v2/models/mill/versions/{version}{path}", json=question())
        assert answer.status_code == status, answer.text
    assert counter.client.request(method, f"/v2/models/ghost{path}", json=question()).json()["reason"] == "no-pipeline"


def test_metadata_says_which_tensors_come_and_go(counter: Counter) -> None:
    assert counter.client.get("/v2").json()["name"] == "driftloop"
    assert counter.client.get("/v2/models/mill").json() == {
        "name": "mill",
        "versions": ["v1"],
        "platform": "driftloop_sklearn",
        "inputs": [
            {"name": "speed", "datatype": "FP64", "shape": [-1]},
            {"name": "maker", "datatype": "BYTES", "shape": [-1]},
        ],
        "outputs": [
            {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
            {"name": "score", "datatype": "FP64", "shape": [-1]},
            {"name": "_id", "datatype": "BYTES", "shape": [-1]},
        ],
    }


def test_health_is_open_to_machines_without_tokens_and_models_are_not(tmp_path: Any) -> None:
    token, grant = issue("app", ("mill",), ("predict",))
    path = tmp_path / "tokens"
    path.write_text(line_of(grant))
    with opened(access=TokenFile(path), ready=False) as counter:
        counter.serve()
        assert counter.client.get("/v2/health/live").json() == {"live": True}
        assert counter.client.get("/v2/health/ready").status_code == 503
        counter.ready = True
        assert counter.client.get("/v2/health/ready").json() == {"ready": True}
        assert counter.infer().status_code == 401
        assert counter.infer(Authorization=f"Bearer {token}").status_code == 200
        assert counter.client.get("/v2/models/other", headers={"Authorization": f"Bearer {token}"}).status_code == 403


def test_a_request_that_finds_no_thread_in_time_is_told_to_come_again() -> None:
    with opened(limits=Limits(answer_seconds=1.0), threads=1) as counter, ThreadPoolExecutor(1) as pool:
        counter.serve()
        counter.gate.clear()
        first = pool.submit(counter.infer)
        assert counter.entered.wait(60)
        waited = counter.infer(question(parameters={"log": False}))
        counter.gate.set()
        assert first.result().status_code == 200
    assert (waited.status_code, waited.json()["reason"]) == (503, "busy")
    assert waited.headers["retry-after"] == "1"
