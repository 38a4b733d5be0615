"""A Parquet file's footer as numbers: Thrift's compact protocol, for what Arrow's own accessors can't be asked.

They end the process on a damaged footer, because no exception gets through them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.ingestion.raw import UnreadableBody

MOST_VALUES = 1 << 20
"""Of one footer: each becomes an object of its own."""
TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = 1, 2, 3, 7, 8, 9, 10, 11, 12, 13
TRAILER = 8
"""Bytes behind the footer: its length, and the magic."""

Struct = dict[int, Any]


def footer(body: bytes) -> Struct:
    """Field values by their numbers (parquet.thrift, FileMetaData). UnreadableBody for what is none."""
    size = int.from_bytes(body[-TRAILER:-4], "little")
    try:
        return _Reader(body[-TRAILER - size : -TRAILER]).struct()
    except IndexError as error:
        raise UnreadableBody("unreadable", "the footer of the Parquet file is damaged") from error


class _Reader:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._place = 0
        self._values = 0

    def struct(self) -> Struct:
        fields: Struct = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            fields[number] = kind == TRUE if kind in (TRUE, FALSE) else self._value(kind)
        return fields

    def _value(self, kind: int) -> Any:
        self._values += 1
        if self._values > MOST_VALUES:
            raise UnreadableBody("unreadable", f"the Parquet file's footer has more than {MOST_VALUES:,} values")
        return KINDS.get(kind, _Reader._zigzag)(self)

    def _list(self) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        return [self._value(head & 15) for _ in range(size)]

    def _map(self) -> list[tuple[Any, Any]]:
        size = self._varint()
        kinds = self._byte() if size else 0
        return [(self._value(kinds >> 4), self._value(kinds & 15)) for _ in range(size)]

    def _byte(self) -> int:
        self._place += 1
        return self._text[self._place - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise IndexError
        return value | byte << shift

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, size: int) -> None:
        self._place += size

    def _binary(self) -> None:
        self._skip(self._varint())


KINDS: dict[int, Callable[[_Reader], Any]] = {
    TRUE: _Reader._byte,
    FALSE: _Reader._byte,
    BYTE: _Reader._byte,
    DOUBLE: lambda reader: reader._skip(8),
    BINARY: _Reader._binary,
    LIST: _Reader._list,
    SET: _Reader._list,
    MAP: _Reader._map,
    STRUCT: _Reader.struct,
    UUID: lambda reader: reader._skip(16),
}
"""Everything else is a whole number in zigzag."""
