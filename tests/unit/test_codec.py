"""States survive storage to the last bit, and bytes that are no such state are refused with a reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.advance import Held
from shared.runtime.codec import CodecError, decode, encode


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    share: float
    raw: bytes


@dataclass(frozen=True, slots=True)
class Whole:
    count: int = 0
    parts: tuple[Part, ...] = ()
    cells: tuple[tuple[str, str, int], ...] = ()
    by_name: Mapping[str, float] = field(default_factory=dict)
    note: str | None = None
    blob: bytes | None = None


parts = st.builds(Part, st.text(), st.floats(allow_nan=False), st.binary())
wholes = st.builds(
    Whole,
    st.integers(-(2**80), 2**80),
    st.lists(parts, max_size=3).map(tuple),
    st.lists(st.tuples(st.text(), st.text(), st.integers()), max_size=3).map(tuple),
    st.dictionaries(st.text(), st.floats(allow_nan=False), max_size=3),
    st.none() | st.text(),
    st.none() | st.binary(),
)


@given(wholes)
def test_a_state_comes_back_equal_and_encodes_alike(state: Whole) -> None:
    data = encode(state)
    assert decode(Whole, data) == state
    assert encode(decode(Whole, data)) == data


@given(st.floats())
def test_floats_come_back_to_the_last_bit(number: float) -> None:
    back = decode(Part, encode(Part("", number, b""))).share
    assert (
        math.isnan(back) if math.isnan(number) else (back, math.copysign(1, back)) == (number, math.copysign(1, number))
    )


def test_a_generic_wrapper_keeps_the_state_inside() -> None:
    held = Held(Whole(3, blob=b"\xff"), {"in/0": 7}, {"lease": 99})
    assert decode(Held[Whole], encode(held, Held[Whole])) == held


def test_another_version_is_refused_by_number() -> None:
    with pytest.raises(CodecError, match="version 2; this build reads 1"):
        decode(Whole, b'{"v":2,"state":{}}')


@pytest.mark.parametrize("data", [b"", b"\x00\x01", b'{"state":{}}', b"[1]"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError, match="no codec envelope"):
        decode(Whole, data)


@pytest.mark.parametrize("cut", [20, 40, -2])
def test_a_torn_state_is_refused(cut: int) -> None:
    with pytest.raises(CodecError, match="does not fit Whole"):
        decode(Whole, encode(Whole(1, note="all of it"))[:cut])


def test_a_state_of_another_shape_is_refused() -> None:
    with pytest.raises(CodecError, match="does not fit Part"):
        decode(Part, encode(Whole()))
