"""Blobs are found by their content, durable when acknowledged, and never handed out damaged."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from shared.adapters.files import FileBlobs
from shared.adapters.memory import MemoryBlobs
from shared.runtime.blobs import BlobReader
from shared.runtime.ports import BlobDamaged, BlobMissing, Blobs


@pytest.fixture(params=["memory", "files"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return MemoryBlobs() if request.param == "memory" else FileBlobs(tmp_path / "blobs")


@pytest.mark.parametrize("data", [b"", b"model", bytes(range(256)) * 1000])
def test_a_blob_is_found_by_the_digest_of_its_content(blobs: Blobs, data: bytes) -> None:
    digest = blobs.put(data)
    assert digest == sha256(data).hexdigest()
    assert blobs.contains(digest)
    assert blobs.get(digest) == data


def test_storing_twice_is_storing_once(blobs: Blobs) -> None:
    assert blobs.put(b"model") == blobs.put(b"model")


def test_an_unknown_digest_is_missing(blobs: Blobs) -> None:
    unknown = sha256(b"never stored").hexdigest()
    assert not blobs.contains(unknown)
    with pytest.raises(BlobMissing, match=unknown):
        blobs.get(unknown)


def test_a_digest_that_is_a_path_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(BlobMissing, match="no SHA-256"):
        FileBlobs(tmp_path / "blobs").get("../secret")


def test_a_damaged_file_is_noticed_and_repaired_by_storing_it_again(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    digest = blobs.put(b"model")
    (tmp_path / digest[:2] / digest).write_bytes(b"mod")
    with pytest.raises(BlobDamaged):
        blobs.get(digest)
    blobs.put(b"model")
    assert blobs.get(digest) == b"model"


def test_a_blob_survives_the_store(tmp_path: Path) -> None:
    digest = FileBlobs(tmp_path).put(b"model")
    assert FileBlobs(tmp_path).get(digest) == b"model"


CALLS = ("fsync", "replace")


@pytest.mark.parametrize("call", CALLS)
def test_a_crash_while_storing_leaves_nothing_or_all(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = FileBlobs(tmp_path)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, call, crash)
    with pytest.raises(KeyboardInterrupt):
        blobs.put(b"model")
    monkeypatch.undo()
    assert not blobs.contains(sha256(b"model").hexdigest())
    assert blobs.get(blobs.put(b"model")) == b"model"


def test_the_content_is_synced_before_the_name_appears_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def recorded_fsync(handle: int) -> None:
        order.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "content")
        fsync(handle)

    def recorded_replace(source: str, target: Path) -> None:
        order.append("name")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    FileBlobs(tmp_path).put(b"model")
    assert order[:3] == ["content", "name", "folder"]


class CountingDecoder:
    """Counts how often it had to work."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, data: bytes) -> str:
        self.calls += 1
        return data.decode()


def test_a_blob_is_decoded_once_while_it_stays_in_use() -> None:
    blobs, decode = MemoryBlobs(), CountingDecoder()
    read, digest = BlobReader(blobs), blobs.put(b"model")
    assert read(digest, decode) == read(digest, decode) == "model"
    assert decode.calls == 1


def test_two_decoders_do_not_share_a_value() -> None:
    blobs = MemoryBlobs()
    read, digest = BlobReader(blobs), blobs.put(b"12")
    assert (read(digest, bytes.decode), read(digest, int)) == ("12", 12)


def test_the_least_recently_used_is_forgotten_first() -> None:
    blobs, decode = MemoryBlobs(), CountingDecoder()
    read = BlobReader(blobs, capacity=2)
    first, second, third = (blobs.put(data) for data in (b"1", b"2", b"3"))
    for digest in (first, second, first, third):
        read(digest, decode)
    assert decode.calls == 3
    read(first, decode)
    assert decode.calls == 3
    read(second, decode)
    assert decode.calls == 4


def test_values_of_large_blobs_are_forgotten_sooner_and_the_latest_never() -> None:
    blobs, decode = MemoryBlobs(), CountingDecoder()
    read = BlobReader(blobs, largest=10)
    small, large = blobs.put(b"12345"), blobs.put(b"1234567890-")
    for digest in (small, large, large):
        read(digest, decode)
    assert decode.calls == 2
    read(small, decode)
    assert decode.calls == 3
