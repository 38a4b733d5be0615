"""Rows through the door: whatever form they come in, they lie in the log when the answer is there."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pyarrow as pa
import pytest

from shared.domain.contract import Label
from shared.domain.rows import ID
from shared.events.topics import LABELS, RECORDS_INGESTED
from tests.unit.doors.bench import House, opened
from tests.unit.ingestion.doors import PIPELINE, row

RECORDS = "/v1/pipelines/shop/records"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with opened() as running:
        yield running


def said(house: House, topic: str = RECORDS_INGESTED.name) -> int:
    return len(house.messages(topic))


def stream(rows: list[dict[str, Any]]) -> bytes:
    table = pa.Table.from_pylist(rows)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


ROW, OTHER = row(), row(price=2.5)
BODIES: dict[str, tuple[str, bytes]] = {
    "array": ("application/json", json.dumps([ROW, OTHER]).encode()),
    "columns": ("application/json", json.dumps({name: [ROW[name], OTHER[name]] for name in ROW}).encode()),
    "lines": ("application/x-ndjson", f"{json.dumps(ROW)}\n{json.dumps(OTHER)}\n".encode()),
    "arrow": ("application/vnd.apache.arrow.stream", stream([ROW, OTHER])),
    "event": (
        "application/cloudevents+json",
        json.dumps({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": [ROW, OTHER]}).encode(),
    ),
}


@pytest.mark.parametrize("form", BODIES)
def test_the_answer_comes_when_the_rows_are_in_the_log(house: House, form: str) -> None:
    content_type, body = BODIES[form]
    before = said(house)
    answer = house.client.post(RECORDS, content=body, headers={"content-type": content_type})
    assert answer.status_code == 202, answer.text
    assert said(house) == before + 1
    report = answer.json()
    assert (report["received"], report["accepted"], report["dead"]) == (2, 2, 0)
    assert house.rows().slice(house.rows().num_rows - 2)[ID].to_pylist() == report["ids"]


def test_a_single_object_and_csv_are_rows_too(house: House) -> None:
    csv = ",".join(ROW) + "\n" + ",".join(str(value) for value in ROW.values()) + "\n"
    for content_type, body in (("application/json", json.dumps(ROW)), ("text/csv", csv)):
        answer = house.client.post(RECORDS, content=body, headers={"content-type": content_type})
        assert answer.json()["accepted"] == 1, answer.text


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "zstd"])
def test_packed_bodies_are_unpacked(house: House, coding: str) -> None:
    plain = json.dumps([ROW] * 50).encode()
    packed = gzip.compress(plain) if "gzip" in coding else bytes(pa.Codec("zstd").compress(plain))
    answer = house.client.post(RECORDS, content=packed, headers=JSON | {"content-encoding": coding})
    assert answer.json()["accepted"] == 50


def test_rows_that_do_not_fit_are_told_one_by_one_and_the_others_go_on(house: House) -> None:
    letters = len(house.letters())
    answer = house.client.post(RECORDS, json=[ROW, row(price="much"), OTHER])
    assert answer.status_code == 202
    assert answer.json()["problems"] == [
        {"row": 1, "reason": "wrong-type", "message": "column 'price' is not a number"}
    ]
    assert len(house.letters()) == letters + 1


def test_where_no_row_fits_the_refusal_carries_the_report(house: House) -> None:
    answer = house.client.post(RECORDS, json=[row(price="much")])
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["reason"], answer.json()["dead"]) == ("no-row-fits", 1)


@pytest.mark.parametrize(
    ("path", "content_type", "body", "status", "reason"),
    [
        ("/v1/pipelines/ghost/records", "application/json", b"{}", 404, "no-pipeline"),
        (RECORDS, "text/strange", b"x", 415, "unknown-format"),
        (RECORDS, "application/json", b"{not json", 400, "unreadable"),
        (RECORDS, "application/json", b"", 400, "empty"),
        ("/v1/pipelines/shop/labels", "application/json", b"{}", 409, "label-arrives-inline"),
        ("/v1/pipelines/No Name/records", "application/json", b"{}", 422, "invalid-request"),
        ("/v1/nothing", "application/json", b"{}", 404, "not-found"),
        ("/v1/pipelines", "application/json", b"{}", 405, "method-not-allowed"),
    ],
)
def test_every_refusal_is_a_problem_document(
    house: House, path: str, content_type: str, body: bytes, status: int, reason: str
) -> None:
    answer = house.client.post(path, content=body, headers={"content-type": content_type})
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["reason"]) == (status, status, reason)
    assert problem["type"] == f"urn:driftloop:problem:{reason}"
    assert problem["detail"] == problem["error"]


def test_labels_that_arrive_late_have_a_door_of_their_own() -> None:
    contract = PIPELINE.contract.model_copy(update={"label": Label(name="sold", arrives="late")})
    with opened(PIPELINE.model_copy(update={"contract": contract})) as house:
        ids = house.client.post(RECORDS, json=[ROW]).json()["ids"]
        answer = house.client.post("/v1/pipelines/shop/labels", json=[{ID: ids[0], "sold": "yes"}])
        assert answer.status_code == 202
        assert said(house, LABELS.name) == 1


BINARY = {"ce-specversion": "1.0", "ce-type": "sale", "ce-source": "/till/1", "ce-id": "77"}


def test_a_cloudevent_has_the_same_row_ids_in_binary_and_in_structured_mode(house: House) -> None:
    binary = house.client.post(RECORDS, json=ROW, headers=BINARY)
    event = {"specversion": "1.0", "type": "sale", "source": "/till/1", "id": "77", "data": ROW}
    structured = house.client.post(RECORDS, content=json.dumps(event), headers={"content-type": BODIES["event"][0]})
    encoded = base64.b64encode(json.dumps(ROW).encode()).decode()
    again = {**{name: event[name] for name in ("specversion", "type", "source", "id")}, "data_base64": encoded}
    third = house.client.post(RECORDS, content=json.dumps(again), headers={"content-type": BODIES["event"][0]})
    assert binary.json()["ids"] == structured.json()["ids"] == third.json()["ids"]


def test_a_batch_of_events_is_a_batch_of_rows(house: House) -> None:
    events = [{"specversion": "1.0", "type": "sale", "source": "t", "id": str(n), "data": ROW} for n in range(3)]
    content_type = "application/cloudevents-batch+json"
    answer = house.client.post(RECORDS, content=json.dumps(events), headers={"content-type": content_type})
    assert answer.json()["accepted"] == 3


@pytest.mark.parametrize("change", [{"ce-specversion": "0.3"}, {"ce-id": ""}])
def test_half_a_cloudevent_is_refused(house: House, change: dict[str, str]) -> None:
    answer = house.client.post(RECORDS, json=ROW, headers=BINARY | change)
    assert (answer.status_code, answer.json()["reason"]) == (400, "not-a-cloudevent")


def test_curl_will_do(house: House) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    command = ["curl", "-sS", "-X", "POST", house.url + RECORDS, "--json", json.dumps([ROW])]
    command = [part if part != "--json" else "-d" for part in command] + ["-H", "Content-Type: application/json"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(answer.stdout)["accepted"] == 1


def test_health_of_the_connection_survives_a_refusal(house: House) -> None:
    with httpx.Client(base_url=house.url) as client:
        assert client.post(RECORDS, content=b"{", headers=JSON).status_code == 400
        assert client.post(RECORDS, json=ROW).status_code == 202
