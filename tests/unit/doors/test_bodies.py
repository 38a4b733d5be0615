"""What comes in is bounded, whatever the sender claims about it: in bytes, unpacked bytes, and seconds."""

from __future__ import annotations

import gzip
import json
import socket
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import httpx
import pyarrow as pa
import pytest

from shared.access.bodies import Limits
from tests.unit.doors.bench import House, opened
from tests.unit.ingestion.doors import row

RECORDS = "/v1/pipelines/shop/records"
JSON = {"content-type": "application/json"}
LIMITS = Limits(body_bytes=10_000, held_bytes=30_000)
HEAD = b"POST /v1/pipelines/shop/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with opened(limits=LIMITS) as running:
        yield running


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


def talk(house: House, *parts: bytes) -> bytes:
    """What the door answers to raw bytes, up to where it closes the connection."""
    host, port = house.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        for part in parts:
            connection.sendall(part)
        return connection.makefile("rb").read()


def test_a_body_that_says_it_is_too_large_is_refused_before_its_first_byte(house: House) -> None:
    answer = talk(house, HEAD + b"Content-Length: 10001\r\nExpect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer


def test_a_body_in_chunks_is_counted_as_it_comes(house: House) -> None:
    answer = house.client.post(RECORDS, content=(b"x" * 1000 for _ in range(11)), headers=JSON)
    assert refused(answer) == (413, "body-too-large")
    assert answer.json()["limit"] == 10_000


def test_a_small_body_that_unpacks_to_a_huge_one_is_refused(house: House) -> None:
    for coding, packed in (
        ("gzip", gzip.compress(b"[" + b" " * 5_000_000, mtime=0)),
        ("zstd", bytes(pa.Codec("zstd").compress(b"[" + b" " * 50_000_000))),
    ):
        assert len(packed) < 10_000
        answer = house.client.post(RECORDS, content=packed, headers=JSON | {"content-encoding": coding})
        assert refused(answer) == (413, "body-too-large")


@pytest.mark.parametrize(
    ("coding", "body", "expected"),
    [
        ("br", b"x", (415, "unknown-encoding")),
        ("gzip, gzip", b"x", (415, "unknown-encoding")),
        ("gzip", b"not gzip", (400, "unreadable-encoding")),
        ("gzip", gzip.compress(json.dumps([row()] * 9).encode(), mtime=0)[:-9], (400, "unreadable-encoding")),
    ],
)
def test_an_encoding_that_is_unknown_or_torn_is_refused(
    house: House, coding: str, body: bytes, expected: tuple[int, str]
) -> None:
    answer = house.client.post(RECORDS, content=body, headers=JSON | {"content-encoding": coding})
    assert refused(answer) == expected


def test_a_body_that_does_not_come_is_given_up() -> None:
    with opened(limits=replace(LIMITS, body_seconds=0.5)) as house:
        answer = talk(house, HEAD + b"Content-Length: 100\r\n\r\n", b"[")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"body-too-slow" in answer


def test_all_requests_together_hold_no_more_than_they_may(house: House) -> None:
    house.halted.set()
    body = json.dumps([row()] * 70).encode()
    assert 7_000 < len(body) < 7_500
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(house.client.post, RECORDS, content=body, headers=JSON) for _ in range(5)]
        turned_away = next(answer for answer in iter_done(answers))
        house.halted.clear()
        statuses = sorted(answer.result().status_code for answer in answers)
    assert refused(turned_away) == (429, "too-many-bytes")
    assert statuses.count(202) == 4
    assert house.client.post(RECORDS, content=body, headers=JSON).status_code == 202


def test_bodies_that_unpack_at_the_same_time_hold_no_more_than_they_may() -> None:
    limits = Limits(body_bytes=4_000_000, held_bytes=9_000_000)
    packed = gzip.compress(b"[" + b" " * 3_900_000, mtime=0)
    with opened(limits=limits) as house, ThreadPoolExecutor(20) as pool:
        house.halted.set()
        tracemalloc.start()
        try:
            headers = JSON | {"content-encoding": "gzip"}
            answers = [pool.submit(house.client.post, RECORDS, content=packed, headers=headers) for _ in range(20)]
            refusals = [refused(answer) for answer in islice(iter_done(answers), 18)]
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            house.halted.clear()
    assert refusals == [(429, "too-many-bytes")] * 18
    assert most < 2.5 * limits.held_bytes, "20 whole ones are 78 MB; the clients and the door take some, too"


def iter_done(answers: list) -> Iterator[httpx.Response]:  # type: ignore[type-arg]
    from concurrent.futures import as_completed

    for answer in as_completed(answers, timeout=60):
        yield answer.result()


def test_whoever_leaves_in_the_midst_of_a_body_is_no_error(house: House) -> None:
    host, port = house.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n[")
    assert house.client.post(RECORDS, json=row()).status_code == 202
    text = house.metrics.text().decode()
    assert 'status="500"' not in text
