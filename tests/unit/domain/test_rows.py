"""Rows as messages: in parts that fit."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.rows import pieces


@given(st.lists(st.integers(0, 300), max_size=200), st.integers(1, 2000), st.integers(1, 50))
def test_pieces_are_the_whole_in_order_and_within_their_limits(
    widths: list[int], most_bytes: int, most_rows: int
) -> None:
    rows = pa.RecordBatch.from_pydict({"text": pa.array(["x" * width for width in widths], pa.string())})
    cut = list(pieces(rows, most_bytes, most_rows))
    assert [text for piece in cut for text in piece.column("text").to_pylist()] == rows.column("text").to_pylist()
    assert all(piece.nbytes <= most_bytes or piece.num_rows == 1 for piece in cut)
    assert all(0 < piece.num_rows <= most_rows for piece in cut)
