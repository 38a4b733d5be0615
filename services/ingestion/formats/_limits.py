"""What one delivery may unpack to. Columnar formats write a million equal rows in a few bytes, so their bodies' size
says nothing about the memory that their rows take."""

from __future__ import annotations

from collections.abc import Collection

from services.ingestion.raw import TOO_LARGE, TOO_MANY_ROWS, UnreadableBody

MOST_ROWS = 1 << 19
"""Each row gets an id, which is answered: that alone is some hundred bytes."""
MOST_CELLS = 1 << 24
"""Rows times wanted columns: a column that the data lacks is filled with nulls, which take room, too."""
MOST_BYTES = 64 << 20
"""Of all columns, unpacked. JSON and CSV are within it by the size of their bodies."""


def check_rows(rows: int, wanted: Collection[str]) -> None:
    """`UnreadableBody` where there are more rows than a delivery may have. Meant to be asked before they are made."""
    most = min(MOST_ROWS, MOST_CELLS // max(len(wanted), 1))
    if rows > most:
        told = f"the delivery has more than {most:,} rows, which is as many as a contract of this width takes at once"
        raise UnreadableBody(TOO_MANY_ROWS, f"{told}; nothing of it was taken: send less at once")


def check_bytes(size: int) -> None:
    """`UnreadableBody` where the columns take, or say that they take, more bytes than they may."""
    if size > MOST_BYTES:
        told = f"the delivery's columns unpack to more than {MOST_BYTES:,} bytes"
        raise UnreadableBody(TOO_LARGE, f"{told}; nothing of it was taken: send less at once")
