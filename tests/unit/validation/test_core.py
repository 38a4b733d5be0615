"""Validation's core: positions, verdicts, profiles, poison."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.validation.duplicates import WINDOW
from shared.domain.contract import Contract, Feature, Kind, Label
from shared.domain.pipeline_file import canonical_bytes
from shared.domain.profile import merge
from shared.events.data import FILE
from shared.events.letters import LARGEST
from shared.runtime import codec
from shared.runtime.core import Message, Tick, Unit
from shared.runtime.ports import BlobMissing
from tests.unit.ingestion.doors import NOW, Door, as_message, serving_message
from tests.unit.validation.lane import PIPELINE, Lane, good


def test_good_rows_go_on_under_their_positions() -> None:
    lane = Lane()
    lane.receive(good(), good())
    (append,) = lane.receive(good(3.0))
    assert append.topic == "records.validated"
    assert lane.validated(append) == [{"_position": 2, "_id": "2", **good(3.0)}]
    expected = {"lane": "0", "first": "2", "last": "3", "rows": "1", "file": lane.door.file,
                "ce_type": "driftloop.records.validated.v1"}  # fmt: skip
    assert expected.items() <= append.headers.items()
    assert lane.state.received == 3


def test_rejected_rows_leave_gaps_and_go_to_one_letter_with_their_reasons() -> None:
    lane = Lane()
    kept, letter = lane.receive(good(), {"price": 500, "shop": "west"}, {"shop": None}, good())
    assert [row["_position"] for row in lane.validated(kept)] == [0, 3]
    assert (kept.headers["first"], kept.headers["last"], kept.headers["rows"]) == ("0", "4", "2")
    told = [(row["_position"], row["_reason"]) for row in lane.rejected(letter)]
    assert told == [(1, "range:price,allowed:shop"), (2, "null:price")]
    assert letter.topic == "records.dead"
    assert letter.headers["driftloop.reason"] == "rules-broken"
    assert letter.headers["__connect.errors.exception.message"] == (
        "rows by broken rule: allowed:shop 1, null:price 1, range:price 1"
    )
    assert letter.headers["__connect.errors.topic"] == "records.ingested"


def test_a_batch_of_rejects_moves_time_and_validates_nothing() -> None:
    lane = Lane()
    (letter,) = lane.receive({"price": -1}, {"price": -1})
    assert letter.topic == "records.dead"
    assert lane.state.received == 2


def test_an_infinity_is_rejected_and_a_missing_label_is_not() -> None:
    lane = Lane()
    unbounded = {"price": float("inf"), "shop": "north"}
    kept, letter = lane.receive(unbounded, {"price": 1, "shop": None, "sold": None})
    assert [row["_reason"] for row in lane.rejected(letter)] == ["non-finite:price,range:price"]
    assert lane.validated(kept)[0]["sold"] is None


class TestDuplicates:
    def test_an_id_counts_once(self) -> None:
        lane = Lane()
        kept, letter = lane.receive({"order": "a", **good()}, {"order": "a", **good()}, {"order": "b", **good()})
        assert [row["_id"] for row in lane.validated(kept)] == ["a", "b"]
        assert [row["_reason"] for row in lane.rejected(letter)] == ["duplicate:_id"]
        (again,) = lane.receive({"order": "b", **good()})
        assert again.topic == "records.dead"

    def test_a_rejected_row_comes_back_repaired_under_its_id(self) -> None:
        lane = Lane()
        lane.receive({"order": "a", "price": 500})
        (kept,) = lane.receive({"order": "a", **good()})
        assert kept.topic == "records.validated"

    def test_a_message_that_comes_again_counts_once_however_many_rows_it_holds(self) -> None:
        lane = Lane()
        rows = [{"order": str(number), **good()} for number in range(2 * WINDOW)]
        _, _, (append,) = lane.door.send(json.dumps(rows).encode())
        (first,) = lane.hear(as_message(append))
        (again,) = lane.hear(as_message(append, offset=1))
        assert (len(lane.validated(first)), again.topic) == (2 * WINDOW, "records.dead")
        assert {row["_reason"] for row in lane.rejected(again)} == {"duplicate:_id"}


def test_reasons_that_are_longer_than_a_letter_take_several() -> None:
    names = [f"temperature of zone {number}" for number in range(20)]
    bounded = tuple(Feature(name=name, kind=Kind.NUMBER, maximum=0) for name in names)
    lane = Lane(PIPELINE.model_copy(update={"contract": Contract(features=bounded, label=Label(name="sold"))}))
    _, _, appends = lane.door.send(json.dumps({name: [1] * 10_000 for name in names}).encode())
    letters = [letter for append in appends for letter in lane.hear(as_message(append))]
    assert sum(int(letter.headers["rows"]) for letter in letters) == 10_000
    assert len({letter.headers["ce_id"] for letter in letters}) == len(letters) > len(appends)
    assert max(len(letter.value) for letter in letters) < LARGEST


class TestProfiles:
    def test_while_collecting_there_are_none(self) -> None:
        lane = Lane()
        lane.receive(*[good()] * 25)
        assert lane.profiles() == []

    def test_a_batch_is_cut_at_the_bounds_of_epochs(self) -> None:
        lane = Lane()
        lane.serve(generation=1)
        lane.receive(*[good()] * 7)
        lane.receive(*[good()] * 17)
        found = [(each.epoch, each.first, each.last, each.received) for each in lane.profiles()]
        assert found == [(0, 0, 7, 7), (0, 7, 10, 3), (1, 10, 20, 10), (2, 20, 24, 4)]

    def test_rejects_are_counted_where_they_stand(self) -> None:
        lane = Lane()
        lane.serve(generation=1)
        lane.receive(*[good()] * 9, {"price": -1}, {"price": -1, "shop": "west"}, good())
        first, second = lane.profiles()
        assert (first.accepted, first.rejects) == (9, (("range:price", 1),))
        assert (second.accepted, second.rejects) == (1, (("allowed:shop", 1), ("range:price", 1)))

    def test_each_carries_the_generation_that_it_was_counted_by(self) -> None:
        lane = Lane()
        lane.serve(generation=1)
        lane.receive(good())
        lane.serve(generation=2, offset=7)
        lane.receive(good())
        assert [each.generation for each in lane.profiles()] == [1, 2]

    def test_an_older_serving_message_changes_nothing(self) -> None:
        lane = Lane()
        lane.serve(generation=2, offset=7)
        lane.serve(generation=1, offset=3)
        assert lane.state.generation == 2

    def test_lanes_share_an_epoch(self) -> None:
        """Ten rows of four lanes: bounds at 2.5, 5, 7.5 rows of each, rounded up."""
        lane = Lane(PIPELINE.model_copy(update={"lanes": 4}), lane=1)
        lane.serve(generation=1)
        plain = Door(PIPELINE)
        _, _, (append,) = plain.send(b"[" + b",".join(b'{"order": %d, "price": 1}' % i for i in range(9)) + b"]")
        headers = {**append.headers, FILE: lane.door.file}
        lane.hear(as_message(replace(append, headers=headers)))
        found = [(each.lane, each.epoch, each.first, each.last) for each in lane.profiles()]
        assert found == [(1, 0, 0, 3), (1, 1, 3, 5), (1, 2, 5, 8), (1, 3, 8, 9)]

    def test_a_column_that_a_new_contract_dropped_counts_as_missing(self) -> None:
        lane = Lane()
        lane.serve(generation=1)
        narrow = PIPELINE.contract.model_copy(update={"features": PIPELINE.contract.features[:1]})
        door = Door(PIPELINE.model_copy(update={"contract": narrow}))
        lane.door.shelf.put(canonical_bytes(door.pipeline))
        _, _, (append,) = door.send(b'{"order": 1, "price": 2}')
        lane.hear(as_message(append))
        (profile,) = lane.profiles()
        assert [each.null_share for each in profile.features] == [0.0, 1.0]

    @settings(max_examples=40, deadline=None)
    @given(cuts=st.lists(st.integers(1, 12), min_size=1, max_size=6))
    def test_the_cut_into_messages_changes_no_count(self, cuts: list[int]) -> None:
        rows = [good(float(i % 7)) if i % 5 else {"price": -1, "order": str(i)} for i in range(sum(cuts))]
        whole, cut = Lane(), Lane()
        whole.serve(generation=1)
        cut.serve(generation=1)
        whole.receive(*rows)
        for length in cuts:
            start = cut.sent
            cut.receive(*rows[start : start + length])
        assert _merged(cut) == _merged(whole)


def _merged(lane: Lane) -> list[object]:
    epochs: dict[int, object] = {}
    for profile in lane.profiles():
        held = epochs.get(profile.epoch)
        epochs[profile.epoch] = profile if held is None else merge(held, profile)  # type: ignore[arg-type]
    return list(epochs.values())


class TestPoison:
    def message(self, value: bytes, **headers: str) -> Message:
        return Message("records.ingested", 0, 9, NOW, "shop", value, headers)

    @pytest.mark.parametrize("value", [b"", b"garbage", bytes(200), b"\xff" * 64])
    def test_what_can_not_be_decoded_is_kept_as_it_came(self, value: bytes) -> None:
        lane = Lane()
        (letter,) = lane.hear(self.message(value, file=lane.door.file))
        assert (letter.topic, letter.value, letter.headers["driftloop.reason"]) == (
            "records.dead",
            value,
            "undecodable",
        )
        assert letter.headers["__connect.errors.offset"] == "9"
        assert lane.state.received == 0

    @settings(max_examples=150, deadline=None)
    @given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
    def test_a_damaged_byte_breaks_nothing(self, place: int, byte: int) -> None:
        lane = Lane()
        _, _, (append,) = lane.door.send(b'[{"order": 1, "price": 2, "shop": "north"}, {"order": 2}]')
        value = bytearray(append.value)
        value[place % len(value)] = byte
        lane.hear(as_message(replace(append, value=bytes(value))))

    def test_a_message_that_names_no_file_or_an_unknown_one_is_kept(self) -> None:
        lane = Lane()
        lane.door.shelf.blobs.clear()
        reasons = [lane.hear(self.message(b"x", **headers))[0].headers["driftloop.reason"]
                   for headers in ({}, {"file": "unheard"})]  # fmt: skip
        assert reasons == ["unknown-file", "unknown-file"]

    def test_the_loss_of_the_file_in_force_is_no_fault_of_the_rows(self) -> None:
        lane = Lane()
        lane.serve(generation=1)
        lane.door.shelf.blobs.clear()
        with pytest.raises(LookupError):
            lane.hear(self.message(b"x", file=lane.door.file))
        assert issubclass(BlobMissing, LookupError)


def test_a_repeated_message_gives_the_same_effects() -> None:
    first, second = Lane(), Lane()
    for lane in (first, second):
        lane.serve(generation=1)
        lane.receive(good(), {"price": -1})
    assert first.said == second.said


def test_the_state_survives_its_codec() -> None:
    lane = Lane()
    lane.serve(generation=1)
    lane.receive(good(), good())
    assert codec.decode(type(lane.state), codec.encode(lane.state)) == lane.state


def test_foreign_events_and_ticks_change_nothing() -> None:
    lane = Lane()
    message = serving_message("shop", lane.door.file)
    unknown = replace(message, headers={**message.headers, "ce_type": "driftloop.unheard.v9"})
    assert lane.core.handle(lane.state, unknown, lane.door.shelf.read).state == lane.core.initial(Unit("shop", 0))
    assert lane.core.handle(lane.state, Tick("any", NOW), lane.door.shelf.read).effects == ()
