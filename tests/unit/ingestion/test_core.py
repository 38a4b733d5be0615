"""Ingestion's core: what becomes of a delivery."""

from __future__ import annotations

import json
from time import perf_counter

import numpy as np
import pytest

from services.ingestion.core import MOST_DEAD
from services.ingestion.messages import lanes_of
from services.ingestion.typed import LONGEST
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline import Pipeline
from shared.domain.rows import ID, LONGEST_NAME, decode_batch, labels_schema
from shared.events.letters import LARGEST
from shared.events.topics import RECORDS_DEAD, RECORDS_INGESTED
from shared.runtime.core import Append, Message, Tick, Unit
from tests.unit.ingestion.doors import CONTRACT, NOW, PIPELINE, Door, row, serving_message

LATE = Pipeline(name="shop", contract=CONTRACT.model_copy(update={"label": Label(name="sold", arrives="late")}))
NAMED = Pipeline(name="shop", contract=CONTRACT.model_copy(update={"record_id": "order"}))


def test_good_rows_are_accepted_in_one_message_that_says_what_it_holds() -> None:
    door = Door()
    status, answer, (append,) = door.send(json.dumps([row(), row(price=None)]).encode())
    assert status == 202
    assert (answer["received"], answer["accepted"], answer["dead"]) == (2, 2, 0)
    assert door.rows(append).column(ID).to_pylist() == answer["ids"] == [f"{answer['batch']}:{i}" for i in range(2)]
    assert (append.topic, append.unit) == ("records.ingested", Unit("shop", 0))
    expected = {
        "file": door.file, "batch": answer["batch"], "rows": "2", "ce_type": "driftloop.records.ingested.v1",
        "content-type": "application/vnd.apache.arrow.recordbatch", "ce_time": "2023-11-14T22:13:20.000+00:00",
    }  # fmt: skip
    assert expected.items() <= append.headers.items()


def test_a_row_that_does_not_fit_is_dead_and_the_others_go_on() -> None:
    door = Door()
    status, answer, (rows, letter) = door.send(
        b'{"price": 1}\n{"price": "secret"}\n{"price": 3}', "application/x-ndjson"
    )
    assert (status, answer["accepted"], answer["dead"]) == (202, 2, 1)
    assert door.rows(rows).column(ID).to_pylist() == [f"{answer['batch']}:0", f"{answer['batch']}:2"]
    assert letter.topic == "records.dead"
    assert letter.value == b'{"price": "secret"}'
    assert letter.headers["driftloop.reason"] == "wrong-type"
    assert letter.headers["__connect.errors.exception.message"] == "column 'price' is not a number"
    assert {"content-type": "application/json", "row": "1"}.items() <= letter.headers.items()


def test_no_header_holds_a_value_of_a_record() -> None:
    body = b'{"price": "secret", "sold": "secret"}\nsecret\n{"price": 1, "shop": "secret"}'
    _, answer, appends = Door().send(body, "application/x-ndjson")
    told = json.dumps([dict(append.headers) for append in appends]) + json.dumps(answer)
    assert len(appends) == 3
    assert "secret" not in told


def test_a_repeated_delivery_gives_the_same_bytes_and_ids() -> None:
    body = json.dumps([row(), row(price="x")]).encode()
    assert Door().send(body) == Door().send(body)
    assert Door().send(body, key="other")[1]["batch"] != Door().send(body)[1]["batch"]


def test_a_structured_cloudevent_names_its_delivery_itself() -> None:
    event = {"specversion": "1.0", "id": "7", "source": "till", "type": "sale", "data": row()}
    bodies = [json.dumps(event).encode()] * 2
    first, second = (Door().send(body, "application/cloudevents+json", key=key)[1]["batch"]
                     for body, key in zip(bodies, "ab", strict=True))  # fmt: skip
    assert first == second


def test_columns_outside_the_contract_are_ignored_and_counted() -> None:
    _, answer, _ = Door().send(json.dumps([row(extra=1), row(more=2)]).encode())
    assert answer["ignored_columns"] == 2


def test_a_column_that_the_data_lacks_is_null() -> None:
    door = Door()
    _, _, (append,) = door.send(b'{"price": 1}')
    assert door.rows(append).column("shop").to_pylist() == [None]


def test_a_declared_record_id_is_the_row_id() -> None:
    door = Door(NAMED)
    _, answer, appends = door.send(json.dumps([row(order=17), row(order="b"), row()]).encode())
    assert answer["ids"] == ["17", "b"]
    assert [each.headers.get("driftloop.reason") for each in appends] == [None, "missing-id"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"", "application/json", 400, "empty"),
        (b"[]", "application/json", 400, "empty"),
        (b"price,count\n", "text/csv", 400, "empty"),
        (b"\n\n", "text/csv", 400, "empty"),
        (b'{"price": ', "application/json", 400, "unreadable"),
        (b"price\n\xff\xfe\n", "text/csv", 400, "not-utf-8"),
        (b"price,price\n1,2\n", "text/csv", 400, "duplicate-column"),
        (b'{"price": [1], "count": [1, 2]}', "application/json", 400, "ragged-columns"),
        (b"<row/>", "application/xml", 415, "unknown-format"),
    ],
)
def test_a_body_without_a_readable_row_is_refused_and_nothing_is_written(
    body: bytes, content_type: str, status: int, reason: str
) -> None:
    code, answer, appends = Door().send(body, content_type)
    assert (code, answer["reason"], appends) == (status, reason, [])


def test_a_delivery_of_dead_rows_only_is_unprocessable_but_kept() -> None:
    status, answer, appends = Door().send(b'[{"price": "x"}, 5]')
    assert (status, answer["accepted"], answer["dead"]) == (422, 0, 2)
    assert [each.value for each in appends] == [b'{"price": "x"}', b"5"]


def test_without_a_pipeline_file_a_client_is_sent_away() -> None:
    door = Door()
    door.state = door.core.initial(Unit("shop"))
    assert door.send(b'{"price": 1}')[:2] == (
        404, {"reason": "no-pipeline", "message": "there is no pipeline of this name yet: apply its file first"},
    )  # fmt: skip


def test_an_action_that_is_none_is_refused() -> None:
    assert Door().send(b"{}", action="predictions")[:1] == (404,)


class TestLabels:
    def test_late_labels_meet_their_rows_by_id(self) -> None:
        door = Door(LATE)
        _, answer, _ = door.send(json.dumps([row()]).encode())
        body = json.dumps([{"_id": answer["ids"][0], "sold": True}, {"_id": "x"}, {"sold": "no"}]).encode()
        _, labels, (append, unlabelled, nameless) = door.send(body, action="labels")
        batch = decode_batch(append.value, labels_schema(LATE.contract))
        assert batch.to_pylist() == [{"_id": answer["ids"][0], "sold": "true"}]
        assert append.topic == "labels"
        assert labels["dead"] == 2
        assert unlabelled.headers["driftloop.reason"] == "missing-label"
        assert nameless.headers["driftloop.reason"] == "missing-id"

    def test_where_they_arrive_inline_they_are_refused(self) -> None:
        status, answer, _ = Door().send(b'{"_id": "x", "sold": "y"}', action="labels")
        assert (status, answer["reason"]) == (409, "label-arrives-inline")

    def test_rows_of_a_late_pipeline_hold_no_label(self) -> None:
        door = Door(LATE)
        _, _, (append,) = door.send(json.dumps(row()).encode())
        assert "sold" not in door.rows(append).schema.names


class TestMessages:
    """A producer's own topic: nobody waits for an answer, so nothing may be lost."""

    def message(self, value: bytes, **headers: str) -> Message:
        return Message("till", 2, 41, NOW, "anything", value, {**headers})

    def test_binary_cloudevents_are_read_by_their_content_type(self) -> None:
        door = Door()
        headers = {"content-type": "text/csv", "ce_id": "1", "ce_source": "till"}
        (append,) = door.hear(self.message(b"price\n2.5\n", **headers)).effects
        assert door.rows(append).column("price").to_pylist() == [2.5]  # type: ignore[arg-type]

    @pytest.mark.parametrize("value", [b"", b"\xff\x00", b"{"])
    def test_poison_becomes_a_letter_with_its_place(self, value: bytes) -> None:
        (letter,) = Door().hear(self.message(value)).effects
        assert letter.value == value  # type: ignore[union-attr]
        place = {"topic": "till", "partition": "2", "offset": "41", "stage": "ingestion"}
        assert {f"__connect.errors.{name}": each for name, each in place.items()}.items() <= letter.headers.items()  # type: ignore[union-attr]

    def test_before_there_is_a_pipeline_file_messages_are_kept_too(self) -> None:
        door = Door()
        door.state = door.core.initial(Unit("shop"))
        (letter,) = door.hear(self.message(b'{"price": 1}')).effects
        assert letter.headers["driftloop.reason"] == "no-pipeline"  # type: ignore[union-attr]

    def test_their_place_makes_their_ids(self) -> None:
        first, again = (Door().hear(self.message(b'{"price": 1}')).effects for _ in range(2))
        assert first == again

    def test_topics_of_labels_bring_labels(self) -> None:
        door = Door(LATE, label_topics=("till",))
        (append,) = door.hear(self.message(b'{"_id": "x", "sold": "y"}')).effects
        assert append.topic == "labels"  # type: ignore[union-attr]


def test_only_a_later_ledger_offset_changes_what_is_served() -> None:
    door = Door()
    door.hear(serving_message("shop", "new", ledger_offset=5))
    door.hear(serving_message("shop", "old", ledger_offset=4))
    assert door.state.file == "new"


def test_ticks_change_nothing() -> None:
    door = Door()
    assert door.core.handle(door.state, Tick("any", NOW), door.shelf.read).state == door.state


class TestLanes:
    PIPELINE = PIPELINE.model_copy(update={"lanes": 4})

    def test_a_row_goes_to_the_lane_of_its_id(self) -> None:
        door = Door(self.PIPELINE)
        _, answer, appends = door.send(json.dumps([row(price=i) for i in range(50)]).encode())
        found = {each: append.unit.lane for append in appends for each in door.rows(append).column(ID).to_pylist()}
        assert found == dict(zip(answer["ids"], lanes_of(answer["ids"], 4).tolist(), strict=True))
        assert [append.unit.lane for append in appends] == sorted({append.unit.lane for append in appends})  # type: ignore[type-var]

    def test_the_hash_is_a_promise(self) -> None:
        """Late labels of old rows must still find them after an upgrade."""
        assert lanes_of(["a", "b", "order-17"], 64).tolist() == [3, 57, 20]


def test_a_delivery_beyond_a_message_is_cut_into_equal_pieces() -> None:
    wide = Contract(features=tuple(Feature(name=f"x{i}", kind=Kind.NUMBER) for i in range(50)), label=Label(name="y"))
    door = Door(Pipeline(name="shop", contract=wide))
    columns = {f"x{i}": list(range(20_000)) for i in range(50)}
    _, answer, appends = door.send(json.dumps(columns).encode())
    pieces = [door.rows(append) for append in appends]
    assert sum(piece.num_rows for piece in pieces) == 20_000
    assert [each for piece in pieces for each in piece.column(ID).to_pylist()] == answer["ids"]
    assert max(len(append.value) for append in appends) < RECORDS_INGESTED.max_message_bytes
    assert len({append.headers["ce_id"] for append in appends}) == len(appends) > 1


def test_one_long_row_among_many_is_no_matter_for_the_others() -> None:
    door = Door()
    rows = [row(shop="x" * LONGEST if place == 70 else "north") for place in range(100)]
    status, answer, appends = door.send(json.dumps(rows).encode())
    assert (status, answer["accepted"]) == (202, 99)
    assert answer["problems"] == [
        {"row": 70, "reason": "too-long", "message": "the row's text takes more than 524,288 bytes"}
    ]
    assert appends[-1].value == json.dumps(rows[70]).encode()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"[" + b",".join([b'{"price": "x"}'] * MOST_DEAD) + b"]", "application/json"),
        (b"price,shop\n" + b"x,north\n" * MOST_DEAD, "text/csv"),
    ],
)
def test_many_dead_rows_cost_no_more_than_their_number(body: bytes, content_type: str) -> None:
    began = perf_counter()
    _, answer, appends = Door().send(body, content_type)
    assert (answer["dead"], len(appends)) == (MOST_DEAD, MOST_DEAD)
    assert perf_counter() - began < 10


def test_more_dead_rows_than_that_are_refused_together_and_a_message_of_them_is_one_letter() -> None:
    body, door = b"1\n" * (MOST_DEAD + 1), Door()
    status, answer, appends = door.send(body, "application/x-ndjson")
    assert (status, answer["reason"], appends) == (422, "too-many-dead", [])
    message = Message("records.offered", 0, 7, NOW, "shop", body, {"content-type": "application/x-ndjson"})
    (letter,) = door.hear(message).effects
    assert isinstance(letter, Append)
    assert (letter.value, letter.headers["driftloop.reason"]) == (body, "too-many-dead")


def test_an_id_or_a_class_is_short() -> None:
    long = "x" * (LONGEST_NAME + 1)
    _, answer, _ = Door(NAMED).send(json.dumps([row(order=long), row(order="a", sold=long), row(order="b")]).encode())
    assert [problem["message"] for problem in answer["problems"]] == [
        "the id takes more than 1,024 bytes",
        "the label 'sold' takes more than 1,024 bytes",
    ]
    assert answer["ids"] == ["b"]


def test_long_rows_that_fit_are_cut_into_messages_that_do() -> None:
    door = Door()
    rows = [row(shop="x" * (LONGEST - 1000) if place % 10 == 0 else "north") for place in range(100)]
    _, answer, appends = door.send(json.dumps(rows).encode())
    assert answer["accepted"] == sum(door.rows(append).num_rows for append in appends) == 100
    assert max(len(append.value) for append in appends) < RECORDS_INGESTED.max_message_bytes


def test_of_what_no_letter_can_hold_the_beginning_is_kept_and_the_length_told() -> None:
    body = b"secret " * 1_000_000
    step = Door().hear(Message("records.offered", 0, 7, NOW, "shop", body, {}))
    (letter,) = step.effects
    assert isinstance(letter, Append)
    assert letter.value == body[:LARGEST]
    assert letter.headers["driftloop.cut"] == str(len(body))
    assert len(letter.value) + sum(map(len, letter.headers.values())) < RECORDS_DEAD.max_message_bytes


def test_ten_thousand_categories_pass() -> None:
    door = Door()
    _, answer, (append,) = door.send(json.dumps({"shop": [f"shop {i}" for i in range(10_000)]}).encode())
    assert answer["accepted"] == 10_000
    assert len(np.unique(door.rows(append).column("shop").to_pylist())) == 10_000
