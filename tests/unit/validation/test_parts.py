"""Epoch bounds and the window of ids."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from services.validation.duplicates import WINDOW, hashes_of, remembered, repeated
from services.validation.epochs import slices


@given(first=st.integers(0, 10_000), rows=st.integers(0, 500), epoch=st.integers(10, 200), lanes=st.integers(1, 64))
def test_slices_cover_the_positions_and_none_crosses_an_epoch(first: int, rows: int, epoch: int, lanes: int) -> None:
    found = list(slices(first, first + rows, epoch, lanes))
    covered = [position for part in found for position in range(part.first, part.last)]
    assert covered == list(range(first, first + rows))
    assert all(position * lanes // epoch == part.epoch for part in found for position in range(part.first, part.last))
    assert len({part.epoch for part in found}) == len(found)


@given(ids=st.lists(st.text(max_size=12), max_size=30), cut=st.integers(0, 5))
def test_a_hash_belongs_to_the_id_alone(ids: list[str], cut: int) -> None:
    hashes = hashes_of(pa.array(ids, pa.string()).slice(cut))
    alone = [int(hashes_of(pa.array([each]))[0]) for each in ids[cut:]]
    assert hashes.tolist() == alone


@given(ids=st.sets(st.text(max_size=6), max_size=60))
def test_different_ids_have_different_hashes(ids: set[str]) -> None:
    assert len(set(hashes_of(pa.array(sorted(ids), pa.string())).tolist())) == len(ids)


def test_many_derived_ids_have_different_hashes() -> None:
    batches = ["2f03670b-d9e6-5a13-8b49-20dad8dd1c4c", "2f03670b-d9e6-5a13-8b49-20dad8dd1c4d"]
    ids = pa.array([f"{batch}:{row}" for batch in batches for row in range(100_000)])
    assert len(np.unique(hashes_of(ids))) == 200_000


def test_hashes_are_a_promise_to_stored_states() -> None:
    assert hashes_of(pa.array(["", "a", "order-17"])).tolist() == [0, 98, 18101746791648545293]


def test_the_window_is_bounded_and_keeps_the_latest() -> None:
    hashes = np.arange(WINDOW + 5, dtype=np.uint64)
    recent = remembered(b"", hashes)
    everything = np.ones(len(hashes), np.bool_)
    assert len(recent) == WINDOW * 8
    assert repeated(hashes, recent, everything).tolist() == [False] * 5 + [True] * WINDOW


@given(ids=st.lists(st.integers(0, 8)), before=st.lists(st.integers(0, 8), unique=True), data=st.data())
def test_repetitions_are_those_a_set_would_find(ids: list[int], before: list[int], data: st.DataObject) -> None:
    eligible = data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    seen = set(before)
    expected = []
    for each, counts in zip(ids, eligible, strict=True):
        expected.append(counts and each in seen)
        seen |= {each} if counts else set()
    recent = remembered(b"", np.array(before, np.uint64))
    assert repeated(np.array(ids, np.uint64), recent, np.array(eligible, np.bool_)).tolist() == expected
