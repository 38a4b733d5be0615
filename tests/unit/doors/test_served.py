"""Who answers: the newest champion that could be loaded, and never nobody where there was somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Event

import pytest

from services.prediction.door import offers, served
from services.prediction.door.offers import LARGEST, Offers
from services.prediction.door.served import Served
from shared.adapters.memory import MemoryBlobs
from shared.domain.digest import digest
from shared.domain.pipeline_file import canonical_bytes
from shared.runtime.blobs import BlobReader
from shared.runtime.core import Append
from tests.unit.doors.serving import MILL, model
from tests.unit.ingestion.doors import serving_message
from tests.waiting import until


class Registry:
    """A `Served` over blobs in memory."""

    def __init__(self) -> None:
        self.blobs = MemoryBlobs()
        self.failures = 0
        self.served = Served(BlobReader(self.blobs), self._failed)
        self.file = self.blobs.put(canonical_bytes(MILL))

    def tell(self, version: str | None, offset: int, blob: bytes | None = None, stored: bool = True) -> None:
        name = digest(blob) if blob else None
        if blob and stored:
            self.blobs.put(blob)
        self.served.tell(serving_message("mill", self.file, version=version, model=name, ledger_offset=offset))

    def serve(self, version: str | None, offset: int, blob: bytes | None = None, stored: bool = True) -> None:
        self.tell(version, offset, blob, stored)
        self.served.turn()

    @property
    def version(self) -> str | None:
        found = self.served.find("mill")
        assert found is not None
        return found.version

    def _failed(self) -> None:
        self.failures += 1


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "AGAIN", 0.0)
    monkeypatch.setattr(offers, "PAUSE", 0.01)


def test_a_newer_word_replaces_the_champion_and_an_older_one_does_not() -> None:
    registry = Registry()
    registry.serve(None, 1)
    assert registry.version is None
    registry.serve("v1", 2, model())
    registry.serve("v0", 1, model())
    assert registry.version == "v1"


def test_a_damaged_word_is_passed_over_and_told(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    registry.served.tell(replace(serving_message("mill", registry.file), value=b"{}", offset=7))
    registry.serve("v1", 1, model())
    assert registry.version == "v1"
    assert "passed over serving/0/7: damaged" in caplog.text


def test_of_many_words_at_once_only_the_last_model_is_loaded() -> None:
    registry = Registry()
    for offset in range(1, 4):
        registry.tell(f"v{offset}", offset, model("gaps"), stored=False)
    registry.tell("v4", 4, model())
    assert registry.served.is_loading("mill")
    assert registry.served.find("mill") is None
    registry.served.turn()
    assert (registry.version, registry.failures) == ("v4", 0)


def test_a_champion_that_cannot_be_loaded_leaves_the_old_one_until_it_can() -> None:
    registry = Registry()
    registry.serve("v1", 1, model())
    registry.serve("v2", 2, model("gaps"), stored=False)
    assert (registry.version, registry.failures) == ("v1", 1)
    assert registry.served.is_loading("mill")
    assert not registry.served.turn()
    registry.blobs.put(model("gaps"))
    assert registry.served.turn()
    assert (registry.version, registry.served.is_loading("mill")) == ("v2", False)


def test_a_model_of_types_that_are_not_allowed_never_answers() -> None:
    registry = Registry()
    registry.serve("v1", 1, b"no model at all")
    assert registry.served.find("mill") is None
    assert registry.served.is_loading("mill")


class Log:
    """Takes appends while it is ``up``."""

    def __init__(self) -> None:
        self.up = Event()
        self.up.set()
        self.taken: list[Append] = []
        self.refused = Event()

    def append_all(self, batch: Sequence[Append]) -> None:
        if not self.up.is_set():
            self.refused.set()
            raise OSError("no broker")
        self.taken += batch


def started(log: Log, most_bytes: int = 1000) -> tuple[Offers, list[int]]:
    lost: list[int] = []
    running = Offers(log.append_all, lost.append, most_bytes=most_bytes)
    running.start()
    return running, lost


def test_offers_reach_the_log_in_order() -> None:
    log = Log()
    running, lost = started(log, 10**6)
    assert all(running("mill", b"%d" % number, {}) for number in range(1000))
    running.stop(60)
    assert [append.value for append in log.taken] == [b"%d" % number for number in range(1000)]
    assert lost == []


def test_offers_wait_for_a_log_that_is_away_and_none_is_lost() -> None:
    log = Log()
    log.up.clear()
    running, lost = started(log)
    assert running("mill", b"a", {"idempotency-key": "k"})
    assert log.refused.wait(60)
    log.up.set()
    until(lambda: log.taken)
    running.stop(60)
    assert (len(log.taken), lost) == (1, [])


def test_what_finds_no_room_is_refused_at_once_and_counted() -> None:
    log = Log()
    log.up.clear()
    running, lost = started(log, most_bytes=10)
    assert running("mill", b"x" * 10, {})
    assert not running("mill", b"x", {})
    assert not running("mill", b"x" * (LARGEST + 1), {})
    assert lost == [1, 1]
    log.up.set()
    running.stop(60)
    assert len(log.taken) == 1


def test_what_cannot_be_carried_before_the_end_is_counted_as_lost() -> None:
    log = Log()
    log.up.clear()
    running, lost = started(log)
    running("mill", b"a", {})
    running.stop(0.05)
    assert lost == [1]
    assert not running("mill", b"b", {})
