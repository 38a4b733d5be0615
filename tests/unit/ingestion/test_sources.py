"""Recorded streams from files: every row, in order, in batches of one size; clear errors for the rest."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.ingestion.sources import BLOCK_BYTES, DataError, read_batches
from services.ingestion.typed import typed_batch
from shared.domain.contract import Contract, Feature, Kind, Label
from tests.streams import stream


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def values(path: Path, rows: int = 2) -> list[dict[str, list[Any]]]:
    return [batch.to_pydict() for batch in read_batches(path, rows)]


def test_csv_and_its_gzip_give_batches_of_one_size(tmp_path: Path) -> None:
    data = b"a,b\n1,x\n2,\n3,z\n"
    expected = [{"a": ["1", "2"], "b": ["x", None]}, {"a": ["3"], "b": ["z"]}]
    assert values(written(tmp_path / "rows.csv", data)) == expected
    assert values(written(tmp_path / "rows.csv.gz", gzip.compress(data))) == expected


def test_a_type_that_changes_far_down_the_file_breaks_nothing(tmp_path: Path) -> None:
    rows = BLOCK_BYTES // 8 + 10
    path = written(tmp_path / "rows.csv", b"a\n" + b"1234567\n" * rows + b"word\n")
    contract = Contract(features=(Feature(name="a", kind=Kind.NUMBER),), label=Label(name="y"))
    typed = [
        typed_batch(batch, contract, "file", number * 5000) for number, batch in enumerate(read_batches(path, 5000))
    ]
    assert sum(batch.num_rows for batch, _ in typed) == rows
    assert [(each.row, each.reason) for _, dead in typed for each in dead] == [(rows, "wrong-type")]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2, 3]}), tmp_path / "rows.parquet")
    assert values(tmp_path / "rows.parquet") == [{"a": [1, 2]}, {"a": [3]}]


@pytest.mark.parametrize(
    ("name", "data", "cause"),
    [
        ("rows.csv", b"", "is empty; it needs a line of column names and rows"),
        ("rows.csv", b"a,b\n", "has column names but no row"),
        ("rows.csv", b"a,b", "has column names but no row"),
        ("rows.csv", b"a,a\n1,2\n", "column 'a' comes twice"),
        ("rows.csv", b"a\n\xff\xfe\n", "is not UTF-8"),
        ("rows.csv", b"\xff\xfe\n1\n", "is not UTF-8"),
        ("rows.csv", b"a,b\n1,2,3\n", "Expected 2 columns, got 3"),
        ("rows.csv.gz", b"a,b\n1,2\n", "can't be read"),
        ("rows.csv.gz", gzip.compress(b"a\n1\n", mtime=0)[:-6], "can't be read"),
        ("rows.parquet", b"a,b\n1,2\n", "Parquet"),
    ],
)
def test_a_file_that_is_no_stream_says_why(tmp_path: Path, name: str, data: bytes, cause: str) -> None:
    path = written(tmp_path / name, data)
    with pytest.raises(DataError, match=cause) as told:
        values(path)
    assert str(told.value).startswith(str(path))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        values(tmp_path / "rows.csv")


def test_parquet_without_rows_says_so(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="no row"):
        values(tmp_path / "rows.parquet")


def test_a_recorded_stream_is_read_whole() -> None:
    names = ("date", "day", "period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer")
    contract = Contract(features=tuple(Feature(name=n, kind=Kind.NUMBER) for n in names), label=Label(name="class"))
    batches = [typed_batch(batch, contract, "elec2") for batch in read_batches(stream("elec2"), 2000)]
    assert sum(batch.num_rows for batch, _ in batches) == 45_312
    assert not any(dead for _, dead in batches)
