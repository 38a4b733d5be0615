"""`driftloop send` and `predict`: rows from files, pipes and the simulated plant through the real doors."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag
from threading import Timer
from time import perf_counter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.cli.sending import Account, Pace
from services.embedded.plant import Plant
from shared.domain.pipeline_file import parse_pipeline
from shared.domain.rows import decode_batch, ingested_schema
from shared.events.topics import LABELS, RECORDS_INGESTED
from tests.unit.cli.calls import call
from tests.unit.cli.system import LATE, House, house, opened

ROWS = [{"price": float(row), "size": "sml"[row % 3]} for row in range(30)]
TEXT = "price,size\n" + "".join(f"{row['price']},{row['size']}\n" for row in ROWS)
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
PLANT = Plant().pipeline_yaml().replace("n_estimators: 60", "n_estimators: 5")


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with opened(house(), monkeypatch) as some:
        some.system.apply()
        yield some


def received(some: House, text: str = LATE) -> list[dict[str, Any]]:
    schema = ingested_schema(parse_pipeline(text).contract)
    messages = some.log.read(RECORDS_INGESTED.name, 0, 0, 10_000)
    return [row for message in messages for row in decode_batch(message.value, schema).to_pylist()]


def write(folder: Path, name: str) -> Path:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(TEXT.encode()))
    elif name.endswith((".parquet", ".pq")):
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        path.write_text(TEXT if name.endswith(".csv") else LINES)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.pq", "a.ndjson", "a.jsonl"])
def test_every_kind_of_file_brings_the_same_rows(shop: House, tmp_path: Path, name: str) -> None:
    told = call("send", "shop", write(tmp_path, name), "--batch", 7)
    assert told.code == 0, told.err
    assert told.out.startswith("sent 30 rows, ")
    assert [{"price": row["price"], "size": row["size"]} for row in received(shop)] == ROWS
    assert len(shop.log.read(RECORDS_INGESTED.name, 0, 0, 100)) == 5


@pytest.mark.parametrize(("options", "text"), [((), LINES), (("--format", "csv"), TEXT)])
def test_lines_come_from_a_pipe(shop: House, options: tuple[str, ...], text: str) -> None:
    command = [sys.executable, "-m", "services.cli.main", "send", "shop", "--url", shop.url, *options]
    told = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told.stderr
    assert len(received(shop)) == 30


def test_labels_are_sent_as_labels(shop: House, tmp_path: Path) -> None:
    call("send", "shop", write(tmp_path, "a.csv"))
    labels = [{"_id": row["_id"], "sold": "yes"} for row in received(shop)]
    (tmp_path / "labels.ndjson").write_text("".join(json.dumps(label) + "\n" for label in labels))
    assert call("send", "shop", tmp_path / "labels.ndjson", "--labels").code == 0
    assert sum(int(message.headers["rows"]) for message in shop.log.read(LABELS.name, 0, 0, 10)) == 30


def test_refused_rows_are_told_with_their_place(shop: House, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text(LINES + '{"price": "much", "size": "s"}\nno JSON\n')
    told = call("send", "shop", tmp_path / "a.ndjson", "--batch", 31)
    assert told.code == 0
    assert "2 refused" in told.out
    assert "  row 30: column 'price' is not a number\n  row 31: the line is not JSON\n" in told.out


def test_where_not_one_row_is_taken_the_code_is_1(shop: House, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text('{"price": "much"}\n{"price": "more"}\n')
    told = call("send", "shop", tmp_path / "a.ndjson", "--batch", 1)
    assert told.code == 1
    assert "sent 2 rows" in told.out


def test_a_rate_is_kept_to(shop: House, tmp_path: Path) -> None:
    started = perf_counter()
    assert call("send", "shop", write(tmp_path, "a.csv"), "--rate", 20).code == 0
    assert perf_counter() - started >= 1
    messages = shop.log.read(RECORDS_INGESTED.name, 0, 0, 100)
    assert [int(message.headers["rows"]) for message in messages] == [20, 10]


def test_rows_wait_for_their_turn() -> None:
    pace, started = Pace(100, Flag()), perf_counter()
    pace.keep(20)
    assert perf_counter() - started >= 0.2
    Pace(None, Flag()).keep(10**9)
    assert perf_counter() - started < 10


def test_progress_names_rows_rate_and_refusals() -> None:
    account = Account(sent=12_000, accepted=11_997, dead=3)
    assert Pace(None, Flag()).words(account).startswith("sent 12,000 rows, ")
    assert Pace(None, Flag()).words(account).endswith(" rows/s, 3 refused")


def test_a_signal_ends_it_in_order(shop: House, tmp_path: Path) -> None:
    Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    told = call("send", "shop", write(tmp_path, "a.csv"), "--rate", 1)
    assert told.code == 130
    assert told.out.startswith("sent ")


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ("send", "send what?"),
        ("send shop --plant", "send what?"),
        ("send shop nowhere.csv", "there is no such file"),
        ("send shop .", "is no file"),
        ("send shop a.txt", "only .csv"),
        ("send shop twins.csv", "comes twice"),
        ("send other a.csv", "apply its file first"),
        ("predict shop nowhere.csv", "there is no such file"),
        ("predict other a.csv", "there is no pipeline 'other' here"),
    ],
)
def test_a_mistake_is_one_line(
    shop: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, cause: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a.csv")
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "twins.csv").write_text("a,a\n1,2\n")
    told = call(*arguments.split())
    assert (told.code, told.out) == (2, "")
    assert cause in told.err
    assert told.err.count("\n") == 1


def test_the_plant_applies_its_file_and_sends_records_and_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(house(PLANT), monkeypatch) as some:
        told = call("send", "--plant", "--rows", 300, "--rate", 100_000, "--url", some.url)
        assert told.code == 0, told.err
        assert "sent 300 rows" in told.out
    rows = received(some, PLANT)
    assert len({row["_id"] for row in rows}) == 300
    assert sum(int(message.headers["rows"]) for message in some.log.read(LABELS.name, 0, 0, 100)) == 300


def test_labels_of_the_plant_come_late(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(house(PLANT), monkeypatch) as some:
        call("send", "--plant", "--rows", 200, "--rate", 100_000, "--url", some.url)
    records = [message.timestamp for message in some.log.read(RECORDS_INGESTED.name, 0, 0, 100)]
    first_label = some.log.read(LABELS.name, 0, 0, 1)[0].timestamp
    assert sum(at < first_label for at in records) * 25 == 125


def test_two_runs_of_the_plant_are_different_crates(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(house(PLANT), monkeypatch) as some:
        for _ in range(2):
            call("send", "--plant", "--rows", 100, "--rate", 100_000, "--url", some.url)
    assert len({row["_id"] for row in received(some, PLANT)}) == 200


@pytest.fixture
def serving(shop: House, tmp_path: Path) -> House:
    """With a champion: dear things don't sell."""
    call("send", "shop", write(tmp_path, "a.csv"))
    labels = [{"_id": row["_id"], "sold": "yes" if row["price"] < 15 else "no"} for row in received(shop)]
    (tmp_path / "labels.ndjson").write_text("".join(json.dumps(label) + "\n" for label in labels))
    call("send", "shop", tmp_path / "labels.ndjson", "--labels")
    return shop


def until_served(path: Path) -> list[dict[str, Any]]:
    deadline = perf_counter() + 20
    while (told := call("predict", "shop", path)).code and perf_counter() < deadline:
        pass
    assert told.code == 0, told.err
    return [json.loads(line) for line in told.out.splitlines()]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.ndjson"])
def test_each_row_is_answered_with_a_line(serving: House, tmp_path: Path, name: str) -> None:
    answers = until_served(write(tmp_path, name))
    assert [answer["row"] for answer in answers] == list(range(30))
    assert answers[0].keys() == {"row", "predicted", "score", "version"}
    assert [answer["predicted"] for answer in (answers[0], answers[-1])] == ["yes", "no"]


def test_a_column_that_is_no_number_is_named_with_its_row(serving: House, tmp_path: Path) -> None:
    until_served(write(tmp_path, "a.csv"))
    (tmp_path / "b.csv").write_text("price,size\n1,s\nmuch,m\n")
    told = call("predict", "shop", tmp_path / "b.csv")
    assert told.code == 2
    assert "row 1: column 'price' is no FP64" in told.err


def test_before_the_first_model_there_is_no_answer(shop: House, tmp_path: Path) -> None:
    told = call("predict", "shop", write(tmp_path, "a.csv"))
    assert told.code == 2
    assert "still collecting labelled rows" in told.err
