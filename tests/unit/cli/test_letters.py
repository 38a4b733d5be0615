"""Dead letters: found, looked at, taken out, repaired, and back under the ids that their rows had."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from services.cli.letters.letter import Letter
from services.cli.letters.replay import content_type
from services.cli.letters.rows import opened as rows_of
from services.cli.letters.sidecar import NAME, ROWS
from shared.adapters.memory.blobs import MemoryBlobs
from shared.domain.pipeline_file import canonical_bytes, parse_pipeline
from shared.domain.rows import decode_batch, encode_batch, ingested_schema, validated_schema
from shared.events.data import ARROW_BATCH
from shared.events.letters import LARGEST, letter, set_aside
from shared.events.topics import RECORDS_DEAD, RECORDS_INGESTED, RECORDS_OFFERED, RECORDS_VALIDATED
from shared.runtime.core import Append, Message, Unit
from shared.runtime.hosts import append_to
from tests.unit.cli.calls import Called, call
from tests.unit.cli.system import LATE, NAMED, House, house, opened

GOOD = {"price": 1.5, "size": "s"}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """Rows that no column names, in one delivery: good, no JSON, of a wrong type, against the rules, good."""
    with opened(house(), monkeypatch) as some:
        some.system.apply()
        some.lines(GOOD, "no JSON", {"price": "much", "size": "m"}, {"price": -2, "size": "xl"}, GOOD)
        yield some


def exported(folder: Path, *options: str, name: str = "shop") -> list[dict[str, Any]]:
    told = call("dead-letters", "export", name, "--out", folder, *options)
    assert told.code == 0, told.err
    return lines_of(folder)


def lines_of(folder: Path) -> list[dict[str, Any]]:
    path = folder / ROWS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def rewrite(folder: Path, rows: list[dict[str, Any]]) -> None:
    (folder / ROWS).write_text("".join(json.dumps(row) + "\n" for row in rows))


def validated(some: House, text: str = LATE) -> list[dict[str, Any]]:
    schema = validated_schema(parse_pipeline(text).contract)
    messages = some.log.read(RECORDS_VALIDATED.name, 0, 0, 1000)
    return [row for message in messages for row in decode_batch(message.value, schema).to_pylist()]


def letters(some: House) -> list[Letter]:
    return [Letter(message) for message in some.log.read(RECORDS_DEAD.name, 0, 0, 1000)]


def test_the_list_has_a_line_per_letter_and_counts_rows_by_reason(shop: House) -> None:
    told = call("dead-letters", "list", "shop")
    listed, counts = told.out.split("\n\n")
    assert [line.split()[0] for line in listed.splitlines()] == ["0/0", "0/1", "0/2"]
    assert "ingestion  wrong-type  1 row: column 'price' is not a number" in listed
    assert "allowed:size 1, range:price 1" in listed
    assert [line.split()[:2] for line in counts.splitlines()] == [
        ["not-json", "1"],
        ["wrong-type", "1"],
        ["rules-broken", "1"],
    ]


def test_the_list_is_json_for_programs_and_can_be_narrowed(shop: House) -> None:
    told = call("dead-letters", "list", "shop", "--json", "--reason", "wrong-type").out.splitlines()
    [letter] = [json.loads(line) for line in told]
    assert (letter["letter"], letter["stage"], letter["rows"], letter["replayed"]) == ("0/1", "ingestion", 1, 0)
    assert call("dead-letters", "list", "shop", "--reason", "none-such").out == "no dead letters\n"


@pytest.mark.parametrize("command", [("list", "nobody"), ("export", "nobody")])
def test_a_name_that_nobody_knows_is_a_mistake(shop: House, command: tuple[str, str]) -> None:
    told = call("dead-letters", *command)
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
    assert told.err.rstrip().endswith("there are: shop")


def test_letters_of_a_name_that_was_never_applied_are_listed_with_what_is_known_of_them(shop: House) -> None:
    shop.log.append(RECORDS_DEAD.name, 0, "nobody", b"", {})
    listed, _ = call("dead-letters", "list", "nobody").out.split("\n\n")
    place, when, words = listed.split(maxsplit=2)
    assert (place, len(when)) == ("0/3", len("2025-03-04T09:12:51"))
    assert words == "unknown  unknown  a message: 0 bytes, and no header that says why or by whom"


def test_what_was_refused_is_shown_on_demand_alone(shop: House) -> None:
    headers = call("dead-letters", "show", "shop", "0/1").out
    assert "driftloop.reason: wrong-type" in headers
    assert "much" not in headers
    assert call("dead-letters", "show", "shop", "0/1", "--value").out.endswith('\n\n{"price":"much","size":"m"}\n')
    assert '"price": -2.0' in call("dead-letters", "show", "shop", "0/2", "--value").out


@pytest.mark.parametrize("letter", ["0/9", "7/0", "x", "0", "0/x", "/"])
def test_a_letter_that_is_not_there_is_a_mistake(shop: House, letter: str) -> None:
    told = call("dead-letters", "show", "shop", letter)
    assert (told.code, told.out) == (2, "")
    assert told.err.count("\n") == 1


def test_rows_become_lines_and_what_is_no_row_a_file_of_its_own(shop: House, tmp_path: Path) -> None:
    wrong_type, rules = exported(tmp_path / "out")
    assert (wrong_type["price"], wrong_type["_why"]) == ("much", "wrong-type: column 'price' is not a number")
    assert (rules["price"], rules["_why"]) == (-2.0, "range:price,allowed:size")
    assert (tmp_path / "out/0-0.json").read_bytes() == b"no JSON"
    assert oct((tmp_path / "out").stat().st_mode & 0o777) == "0o700"


def test_each_letter_can_be_a_file_with_the_bytes_as_they_were_sent(shop: House, tmp_path: Path) -> None:
    exported(tmp_path, "--each")
    assert (tmp_path / "0-1.json").read_bytes() == b'{"price":"much","size":"m"}'
    assert not (tmp_path / ROWS).exists()


def test_exported_letters_are_not_written_over(shop: House, tmp_path: Path) -> None:
    exported(tmp_path)
    told = call("dead-letters", "export", "shop", "--out", tmp_path)
    assert told.code == 2
    assert "holds exported letters already" in told.err


def test_nothing_to_export_is_said_and_no_folder_is_for_nothing(shop: House, tmp_path: Path) -> None:
    told = call("dead-letters", "export", "shop", "--out", tmp_path / "out", "--reason", "none-such")
    assert "has no dead letters of reason none-such" in told.out
    assert not (tmp_path / "out").exists()


def test_repaired_rows_come_back_under_the_ids_that_they_had(shop: House, tmp_path: Path) -> None:
    batch = shop.log.read(RECORDS_INGESTED.name, 0, 0, 1)[0].headers["batch"]
    rows = exported(tmp_path)
    rewrite(tmp_path, [row | {"price": 3, "size": "m"} for row in rows])
    (tmp_path / "0-0.json").write_text(json.dumps({"price": 4, "size": "l"}))
    told = call("replay", "shop", tmp_path)
    assert told.code == 0, told.err
    assert told.out.startswith("taken 3, died again 0, not sent 0, back before 0\naudit: ")
    assert sorted(row["_id"] for row in validated(shop)) == [f"{batch}:{row}" for row in range(5)]


def test_a_row_that_is_back_is_not_sent_again(shop: House, tmp_path: Path) -> None:
    rows = exported(tmp_path, "--reason", "wrong-type")
    rewrite(tmp_path, [row | {"price": 3} for row in rows])
    call("replay", "shop", tmp_path)
    before = len(validated(shop))
    told = call("replay", "shop", tmp_path)
    assert told.code == 0
    assert "taken 0, died again 0, not sent 0, back before 1" in told.out
    assert len(validated(shop)) == before


def test_a_line_that_was_removed_stays_a_letter(shop: House, tmp_path: Path) -> None:
    rows = exported(tmp_path, "--reason", "wrong-type")
    assert len(rows) == 1
    rewrite(tmp_path, [])
    assert "taken 0" in call("replay", "shop", tmp_path).out
    assert len(validated(shop)) == 2


def replayed_unmended(tmp_path: Path, number: int) -> Called:
    """Exports the newest letter of a wrong type and puts it back as it is."""
    folder = tmp_path / str(number)
    rows = exported(folder, "--reason", "wrong-type")
    rewrite(folder, rows[-1:])
    return call("replay", "shop", folder)


def test_a_row_that_dies_three_times_again_is_not_sent_a_fourth_time(shop: House, tmp_path: Path) -> None:
    for number in range(3):
        told = replayed_unmended(tmp_path, number)
        assert told.code == 1
        assert "taken 0, died again 1" in told.out
        assert "wrong-type: column 'price' is not a number" in told.out
        assert letters(shop)[-1].replayed == number + 1
    told = replayed_unmended(tmp_path, 3)
    assert told.code == 1
    assert "not sent 1" in told.out
    assert "was put back 3 times" in told.out
    assert len(letters(shop)) == 6


def test_the_count_also_goes_up_in_one_folder(shop: House, tmp_path: Path) -> None:
    exported(tmp_path, "--reason", "wrong-type")
    ends = [call("replay", "shop", tmp_path).out.splitlines()[0] for _ in range(4)]
    assert [end.split(",")[1:3] for end in ends] == [[" died again 1", " not sent 0"]] * 3 + [
        [" died again 0", " not sent 1"]
    ]


def test_a_row_that_dies_in_validation_after_its_repair_keeps_its_id_and_count(shop: House, tmp_path: Path) -> None:
    first = exported(tmp_path / "a", "--reason", "wrong-type")
    rewrite(tmp_path / "a", [row | {"price": -1} for row in first])
    assert call("replay", "shop", tmp_path / "a").code == 0
    again = exported(tmp_path / "b", "--reason", "rules-broken")[-1]
    rewrite(tmp_path / "b", [again | {"price": 1}])
    assert call("replay", "shop", tmp_path / "b").code == 0
    batch = validated(shop)[0]["_id"].partition(":")[0]
    assert validated(shop)[-1]["_id"] == f"{batch}:2"
    assert letters(shop)[-1].replayed == 1


def test_a_row_that_was_accepted_before_is_not_put_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with opened(house(NAMED), monkeypatch) as some:
        some.system.apply()
        some.lines({"item": "a", **GOOD}, {"item": "a", **GOOD})
        exported(tmp_path)
        told = call("replay", "shop", tmp_path)
    assert told.code == 1
    assert "a row of this id was accepted before" in told.out
    assert len(validated(some, NAMED)) == 1


def test_rows_with_a_name_of_their_own_keep_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with opened(house(NAMED), monkeypatch) as some:
        some.system.apply()
        some.lines({"item": "a", "price": -1, "size": "s"}, {"item": "b", "price": "?", "size": "s"})
        rows = exported(tmp_path)
        assert {row["item"] for row in rows} == {"a", "b"}
        rewrite(tmp_path, [row | {"price": 1} for row in rows])
        assert call("replay", "shop", tmp_path).code == 0
    assert {row["_id"] for row in validated(some, NAMED)} == {"a", "b"}


def test_labels_go_back_through_their_own_door(shop: House, tmp_path: Path) -> None:
    batch = shop.log.read(RECORDS_INGESTED.name, 0, 0, 1)[0].headers["batch"]
    shop.lines({"_id": f"{batch}:0", "sold": None}, action="labels")
    [row] = exported(tmp_path, "--reason", "missing-label")
    rewrite(tmp_path, [row | {"sold": "yes"}])
    assert call("replay", "shop", tmp_path).code == 0
    assert len(shop.log.read("labels", 0, 0, 10)) == 1


def test_csv_rows_are_repaired_as_lines_or_as_files(shop: House, tmp_path: Path) -> None:
    shop.system.deliver("records", b"price,size\n1,s\nmuch,m\n3\n", "text/csv")
    exported(tmp_path, "--reason", "wrong-type")
    exported(tmp_path / "narrow", "--reason", "wrong-width")
    broken = tmp_path / "narrow/0-4.csv"
    assert broken.read_text() == "price,size\n3\n"
    assert "Expected 2 columns, got 1" in call("replay", "shop", broken).err
    broken.write_text("price,size\n3,l\n")
    assert call("replay", "shop", broken).code == 0
    assert validated(shop)[-1]["price"] == 3.0


def test_a_delivery_of_which_no_row_could_be_read_comes_back_row_by_row(shop: House, tmp_path: Path) -> None:
    shop.log.append(
        RECORDS_OFFERED.name, 0, "shop", b'[{"price": 1, "size": "s"}', {"content-type": "application/json"}
    )
    deliver_offered(shop)
    exported(tmp_path, "--reason", "unreadable")
    [file] = [path for path in tmp_path.iterdir() if path.name != NAME]
    file.write_text('[{"price": 1, "size": "s"}, {"price": 2, "size": "m"}]')
    told = call("replay", "shop", tmp_path)
    assert told.code == 0, told.err
    assert told.out.startswith("taken 1,")
    assert [row["_id"].partition(":")[2] for row in validated(shop)[-2:]] == ["0", "1"]


def deliver_offered(some: House) -> None:
    """What ingestion's subscription to the producers' door does."""
    messages = some.log.read(RECORDS_OFFERED.name, 0, 0, 10)
    with some.lock:
        worker = some.system.loop._workers["ingestion"]
        worker.deliver([(Unit(message.key), message) for message in messages])
        some.system.loop.drain()


def test_a_line_without_its_name_or_with_anothers_is_a_mistake(shop: House, tmp_path: Path) -> None:
    rows = exported(tmp_path)
    for wrong in ([{"price": 1}], [rows[0] | {"_letter": "0/99/0"}], [rows[0], rows[0]]):
        rewrite(tmp_path, wrong)
        told = call("replay", "shop", tmp_path)
        assert (told.code, told.out) == (2, "")
        assert "'_letter'" in told.err
    assert len(letters(shop)) == 3


@pytest.mark.parametrize("text", ["{", "[1]", "[]", '{"a": 1}\n{"b": 2}'])
def test_a_file_of_one_letter_that_holds_no_single_row_is_a_mistake(shop: House, tmp_path: Path, text: str) -> None:
    exported(tmp_path, "--reason", "not-json")
    (tmp_path / "0-0.json").write_text(text)
    told = call("replay", "shop", tmp_path / "0-0.json")
    assert (told.code, told.out) == (2, "")
    assert "0-0.json" in told.err


def test_of_a_folder_what_is_mended_goes_back_and_the_rest_stays(shop: House, tmp_path: Path) -> None:
    rows = exported(tmp_path)
    rewrite(tmp_path, [row | {"price": 3, "size": "m"} for row in rows])
    told = call("replay", "shop", tmp_path)
    assert told.code == 1
    assert "taken 2, died again 0, not sent 1" in told.out
    assert "0-0.json: line 1 is not JSON" in told.out


def test_other_folders_files_and_pipelines_are_mistakes(shop: House, tmp_path: Path) -> None:
    exported(tmp_path / "out")
    (tmp_path / "stranger.json").write_text("{}")
    (tmp_path / "out/stranger.json").write_text("{}")
    for place in ("nowhere", "stranger.json", "out/stranger.json", "."):
        assert call("replay", "shop", tmp_path / place).code == 2
    assert "letters of 'shop', not of 'other'" in call("replay", "other", tmp_path / "out").err
    (tmp_path / "out" / NAME).write_text("{")
    assert "is damaged" in call("replay", "shop", tmp_path / "out").err


def test_where_the_door_is_shut_nothing_is_noted_as_sent(
    shop: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(tmp_path)
    before = (tmp_path / NAME).read_text()
    monkeypatch.setattr("services.cli.waiting.STARTING", 0.1)
    told = call("replay", "shop", tmp_path, "--url", "http://127.0.0.1:1")
    assert told.code == 2
    assert told.err.count("\n") == 1
    assert (tmp_path / NAME).read_text() == before


def failed(topic: str, value: bytes, **headers: str) -> Letter:
    """What a service sets aside that failed on a message."""
    effect = set_aside("validation")(Unit("shop", 0), Message(topic, 0, 7, 0, "shop", value, headers), ValueError("x"))
    assert isinstance(effect, Append)
    return Letter(Message(RECORDS_DEAD.name, 0, 0, 0, "shop", effect.value, effect.headers))


def test_rows_that_a_service_failed_on_are_read_from_their_columns(shop: House) -> None:
    [message] = shop.log.read(RECORDS_INGESTED.name, 0, 0, 1)
    letter = failed(RECORDS_INGESTED.name, message.value, **message.headers)
    rows = rows_of(letter, lambda: shop.blobs)
    assert rows is not None
    assert (letter.action, letter.reason, len(rows)) == ("records", "handler-failed", 3)
    assert rows[0].record == GOOD
    assert rows[0].id == f"{message.headers['batch']}:0"


def test_what_a_service_failed_on_behind_the_door_does_not_come_through_it_again(shop: House, tmp_path: Path) -> None:
    [message] = shop.log.read(RECORDS_VALIDATED.name, 0, 0, 1)
    for topic, value, headers in (
        (RECORDS_VALIDATED.name, message.value, message.headers),
        ("ledger", orjson.dumps({}), {"content-type": "application/json"}),
    ):
        letter = failed(topic, value, **headers)
        shop.log.append(RECORDS_DEAD.name, 0, "shop", value, letter.headers)
    exported(tmp_path, "--reason", "handler-failed")
    told = call("replay", "shop", tmp_path)
    assert told.code == 1
    assert "not sent 3" in told.out
    assert "behind the door, in records.validated" in told.out


def test_a_letter_that_is_only_a_beginning_is_not_put_back(shop: House, tmp_path: Path) -> None:
    """The line would read as a row: of the last column a part is gone."""
    whole = b"price,size\n-1," + b"s" * (LARGEST + 100)
    append = letter(Unit("shop", 0), whole, {"content-type": "text/csv", "row": "0", "driftloop.action": "records"})
    append_to(shop.log, append)
    exported(tmp_path, "--reason", "unknown")
    (path,) = tmp_path.glob("*.csv")
    assert path.stat().st_size == LARGEST
    told = call("replay", "shop", tmp_path)
    assert f"it holds the beginning alone, of {len(whole):,} bytes" in told.out


def test_rows_that_bring_their_ids_come_in_through_the_producers_door_too(shop: House) -> None:
    """What the how-to promises to those who have no use for the command."""
    body = orjson.dumps({"_id": "batch:2", **GOOD})
    shop.log.append(RECORDS_OFFERED.name, 0, "shop", body, {"content-type": content_type(1)})
    deliver_offered(shop)
    assert validated(shop)[-1]["_id"] == "batch:2"


def test_an_old_letter_whose_instant_has_no_date_is_taken_out_as_it_is() -> None:
    text = NAMED.replace("  label:", "    - {name: at, kind: timestamp}\n  label:")
    pipeline = parse_pipeline(text)
    beyond = pa.array([253_402_318_799_000_000]).cast(pa.timestamp("us", "UTC"))
    columns = [pa.array(["a"]), pa.array([1.0]), pa.array(["s"]), beyond]
    batch = pa.RecordBatch.from_arrays(columns, schema=ingested_schema(pipeline.contract))
    blobs = MemoryBlobs()
    file = blobs.put(canonical_bytes(pipeline))
    headers = {"file": file, "content-type": ARROW_BATCH}
    assert rows_of(failed(RECORDS_INGESTED.name, encode_batch(batch), **headers), lambda: blobs) is None


def test_a_repaired_file_that_is_still_broken_is_not_quoted(shop: House, tmp_path: Path) -> None:
    shop.system.deliver("records", b"price,size\n3\n", "text/csv")
    exported(tmp_path, "--reason", "wrong-width")
    (broken,) = tmp_path.glob("*.csv")
    broken.write_text("price,size\n1,s\n3,s,secret\n")
    told = call("replay", "shop", broken)
    assert told.code == 2
    assert told.err.rstrip().endswith("can't be read as csv: Expected 2 columns, got 3")
