"""The producer's client against the real doors: nothing twice, nothing lost silently."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from services.cli.client import Batching, Client, Refused, Retrying, Undelivered, Unsendable
from services.cli.client.bodies import ARROW_STREAM, NDJSON, body_of
from shared.access.stores import Standing
from shared.access.tokens import TokenFile, issue, line_of
from shared.domain.contract import Label
from shared.domain.rows import ID
from shared.events.commands import ApproveCandidate
from shared.events.topics import LABELS, RECORDS_INGESTED
from tests.unit.doors import serving
from tests.unit.doors.bench import House, opened
from tests.unit.doors.test_pipelines import FILE, model
from tests.unit.ingestion.doors import PIPELINE, row
from tests.waiting import until

QUICK = Retrying(first=0.01, longest=0.05, seconds=60)
HASTY = Retrying(first=0.01, longest=0.02, seconds=0.1)


@pytest.fixture
def house() -> Iterator[House]:
    with opened() as running:
        yield running


def client(house: House, **settings: Any) -> Client:
    return Client(house.url, **{"retrying": QUICK, "batching": Batching(seconds=60), **settings})


class Faulty(httpx.HTTPTransport):
    """A network on which the first ``faults`` requests meet what ``happens``: an exception, an answer, a lost one."""

    def __init__(self, happens: Exception | httpx.Response | None, faults: int = 1) -> None:
        super().__init__()
        self.happens = happens
        self.faults = faults
        self.keys: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("idempotency-key", ""))
        if self.faults <= 0:
            return super().handle_request(request)
        self.faults -= 1
        if isinstance(self.happens, httpx.Response):
            return self.happens
        if self.happens is None:
            super().handle_request(request).read()
        raise self.happens or httpx.ReadError("the answer was lost")


def test_rows_go_in_batches_and_leaving_sends_the_rest(house: House) -> None:
    with client(house, batching=Batching(rows=10, seconds=60)) as producer:
        producer.send("shop", (row(count=number) for number in range(25)))
        assert house.rows().num_rows == 20
    assert house.rows()["count"].to_pylist() == list(range(25))
    assert len(house.messages(RECORDS_INGESTED.name)) == 3


def test_a_batch_is_full_by_bytes_too(house: House) -> None:
    with client(house, batching=Batching(bytes=10_000, seconds=60)) as producer:
        producer.send("shop", [row(shop="x" * 3000) for _ in range(7)])
        assert house.rows().num_rows == 4 or house.rows().num_rows == 6
    assert house.rows().num_rows == 7


def test_a_row_waits_for_others_only_so_long(house: House) -> None:
    with client(house, batching=Batching(seconds=0.05)) as producer:
        producer.send("shop", [row()])
        until(lambda: house.rows().num_rows == 1)


def test_record_batches_go_as_they_are_behind_what_came_before(house: House) -> None:
    batch = pa.RecordBatch.from_pylist([row(count=number) for number in range(1, 6)])
    with client(house, batching=Batching(rows=2, seconds=60)) as producer:
        producer.send("shop", [row(count=0)])
        producer.send("shop", batch)
        assert producer.flush().accepted == 6
    assert house.rows()["count"].to_pylist() == list(range(6))


def test_a_flush_tells_what_became_of_everything(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with client(house) as producer, caplog.at_level(logging.WARNING):
        producer.send("shop", [row(), row(price="much"), row()])
        sent = producer.flush()
        assert (sent.received, sent.accepted, sent.dead) == (3, 2, 1)
        assert sent.problems[0]["row"] == 1
        producer.send("shop", [row(price="much")])
        assert producer.flush().dead == 1
        assert producer.flush().received == 0
    assert "1 of 3 rows were set aside: column 'price' is not a number" in caplog.text
    assert "much" not in caplog.text


def test_a_delivery_has_the_ids_that_late_labels_need() -> None:
    contract = PIPELINE.contract.model_copy(update={"label": Label(name="sold", arrives="late")})
    with opened(PIPELINE.model_copy(update={"contract": contract})) as house, client(house) as producer:
        report = producer.deliver("shop", [row(), row()])
        producer.labels("shop", [{ID: each, "sold": "yes"} for each in report.ids])
        assert producer.flush().accepted == 2
        assert len(house.messages(LABELS.name)) == 1


@pytest.mark.parametrize(
    "happens",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        None,
        httpx.Response(503, json={"reason": "unknown-outcome", "detail": "?"}, headers={"retry-after": "0"}),
        httpx.Response(429, json={"reason": "busy", "detail": "?"}),
        httpx.Response(502, text="<html>bad gateway</html>"),
    ],
    ids=["no-connection", "time-out", "lost-answer", "unknown", "busy", "proxy"],
)
def test_what_may_pass_is_tried_again_under_the_same_key_and_counts_once(
    house: House, happens: Exception | httpx.Response | None
) -> None:
    network = Faulty(happens, faults=2)
    with client(house, transport=network) as producer:
        producer.send("shop", [row()])
        assert producer.flush().accepted == 1
    assert len(network.keys) == 3
    assert len(set(network.keys)) == 1
    assert len(set(house.rows()[ID].to_pylist())) == 1


def test_a_door_that_says_when_is_not_asked_before(house: House) -> None:
    network = Faulty(httpx.Response(429, headers={"retry-after": "1"}), faults=1)
    start = monotonic()
    with client(house, transport=network) as producer:
        producer.send("shop", [row()])
    assert monotonic() - start >= 1
    soon = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with client(house, transport=Faulty(httpx.Response(429, headers={"retry-after": soon}))) as producer:
        assert producer.deliver("shop", [row()]).accepted == 1


def test_what_no_door_took_stays_and_the_next_flush_takes_it(house: House) -> None:
    network = Faulty(httpx.ConnectError("refused"), faults=10**6)
    producer = client(house, transport=network, retrying=HASTY)
    producer.send("shop", [row(), row()])
    with pytest.raises(Undelivered, match=r"POST http.*/v1/pipelines/shop/records: .*ConnectError") as error:
        producer.flush()
    assert "flush() tries again" in str(error.value)
    network.faults = 0
    assert producer.flush().accepted == 2
    assert len(set(network.keys)) == 1
    producer.close()


def test_an_error_in_the_background_is_raised_by_the_next_call_and_nothing_is_lost(house: House) -> None:
    network = Faulty(httpx.ConnectError("refused"), faults=10**6)
    producer = client(house, transport=network, retrying=HASTY, batching=Batching(seconds=0.01))
    producer.send("shop", [row()])
    until(lambda: producer._error)
    with pytest.raises(Undelivered) as error:
        producer.send("shop", [row()])
    assert error.value.taken == 0
    network.faults = 0
    producer.close()
    assert house.rows().num_rows == 1


def test_a_send_that_ends_early_says_how_many_rows_are_kept(house: House) -> None:
    network = Faulty(httpx.ConnectError("refused"), faults=10**6)
    producer = client(house, transport=network, retrying=HASTY, batching=Batching(rows=3, seconds=60))
    rows = [row(count=number) for number in range(10)]
    with pytest.raises(Undelivered) as error:
        producer.send("shop", rows)
    network.faults = 0
    producer.send("shop", rows[error.value.taken :])
    producer.close()
    assert house.rows()["count"].to_pylist() == list(range(10))


def test_what_is_refused_comes_back_and_what_follows_goes_on(house: House) -> None:
    producer = client(house)
    producer.send("ghost", [row()])
    producer.send("shop", [row()])
    with pytest.raises(Refused, match=r"POST .*/ghost/records: there is no pipeline") as error:
        producer.flush()
    assert (error.value.status, error.value.reason, error.value.rows) == (404, "no-pipeline", [row()])
    producer.close()
    assert house.rows().num_rows == 1


class Strange:
    """A value that no format has a word for."""


def test_a_value_that_cannot_be_written_takes_no_other_row_with_it(house: House) -> None:
    producer = client(house)
    strange = row(shop=Strange())
    producer.send("shop", [row(), strange, row()])
    with pytest.raises(Unsendable, match="Strange") as error:
        producer.flush()
    assert error.value.rows == [strange]
    producer.close()
    assert house.rows().num_rows == 2


@pytest.mark.parametrize(
    ("rows", "form"),
    [
        ([row(), row(price=None)], ARROW_STREAM),
        ([{"price": 1}, {"price": 2.5, "shop": "late column"}], ARROW_STREAM),
        ([row(price=np.float64(1.5), count=np.int64(2))], ARROW_STREAM),
        ([row(at=datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC))], ARROW_STREAM),
        ([row(price=Decimal("1.5"))], ARROW_STREAM),
        ([row(), row(price="2.5")], NDJSON),
        ([row(count=2), row(count="3")], NDJSON),
        ([row(price=10**30), row(price=1.5)], NDJSON),
        ([row(price=float("inf")), row(price="1.5")], NDJSON),
        ([{}, row()], ARROW_STREAM),
    ],
)
def test_rows_arrive_as_they_were_whatever_form_they_need(house: House, rows: list[Any], form: str) -> None:
    assert body_of(rows)[1] == form
    with client(house) as producer:
        producer.send("shop", rows)
        assert producer.flush().accepted == len(rows)
    arrived = house.rows().to_pylist()
    for sent, found in zip(rows, arrived, strict=True):
        for name in ("price", "count"):
            expected = sent.get(name)
            assert found[name] == (None if expected is None else pytest.approx(float(expected)))


def test_a_batch_without_any_column_is_no_batch(house: House) -> None:
    producer = client(house)
    producer.send("shop", [{}])
    assert producer.flush().received == 1
    producer.close()


def test_files_models_commands_and_standings_have_their_methods(house: House, tmp_path: Any) -> None:
    path = tmp_path / "mill.yaml"
    path.write_text(FILE)
    house.status.standings["shop"] = Standing("shop", 1, 1_700_000_000_000, {"champion": "v1"})
    with client(house) as person:
        assert person.apply(path, model())["file"]
        command = person.command("shop", "approve", version="v1")
        assert house.commands()[-1] == ApproveCandidate(pipeline="shop", command=command, version="v1")
        assert person.status("shop")["standing"] == {"champion": "v1"}
        assert len(person.status()["pipelines"]) == 1
        with pytest.raises(Refused, match="is no known key"):
            person.apply(FILE + "sede: 1\n")


def test_a_token_goes_along_and_its_lack_is_told(tmp_path: Any) -> None:
    token, grant = issue("till")
    path = tmp_path / "tokens"
    path.write_text(line_of(grant))
    with opened(access=TokenFile(path)) as house:
        with client(house, token=token) as producer:
            assert producer.deliver("shop", [row()]).accepted == 1
        with client(house) as stranger, pytest.raises(Refused, match="Authorization: Bearer") as error:
            stranger.deliver("shop", [row()])
        assert error.value.status == 401


def test_a_champion_is_asked_in_columns() -> None:
    with serving.opened() as counter:
        counter.serve()
        network = Faulty(None, faults=0)
        with Client(str(counter.client.base_url), retrying=QUICK, transport=network) as app:
            said = app.infer("mill", {"speed": np.array([30.0, 2.5]), "maker": ["acme", "nobody"]})
            assert (said.version, list(said.predictions), said.logged) == ("v1", ["yes", "no"], True)
            assert said.ids is not None
            quiet = app.infer("mill", pa.RecordBatch.from_pydict({"speed": [1.0], "maker": [None]}), log=False)
            assert (quiet.logged, quiet.ids) == (False, None)
            with pytest.raises(Refused, match="missing: 'maker'"):
                app.infer("mill", {"speed": [1.0]})
            counter.serve(serving.MILL.model_copy(update={"name": "young"}), version=None)
            network.keys.clear()
            with pytest.raises(Refused, match="collecting"):
                app.infer("young", {"speed": [1.0], "maker": ["a"]})
            assert len([key for key in network.keys if key]) == 1, "asked once: no patience would outlast it"


def test_a_closed_client_says_so_and_closing_twice_is_closing(house: House) -> None:
    producer = client(house)
    producer.close()
    producer.close()
    with pytest.raises(Exception, match="closed"):
        producer.send("shop", [row()])
