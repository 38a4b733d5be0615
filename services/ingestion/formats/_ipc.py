"""What the messages of an Arrow IPC stream declare, read before anything in them is unpacked.

Arrow's reader unpacks whatever it meets, and Python can't bound it: five kilobytes may become a gigabyte.  The
declarations stand in each message's metadata, a FlatBuffer (Arrow columnar format, "Encapsulated message format";
Message.fbs), and, for packed buffers, in their first eight bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa

from services.ingestion.raw import UnreadableBody

HEADER_TYPE, HEADER = 1, 2
DICTIONARY, RECORDS = 2, 3
"""Kinds of headers that have a body."""
LENGTH, BUFFERS, COMPRESSION = 0, 2, 3
"""Fields of a record batch."""
DATA, IS_DELTA = 1, 2
"""Fields of a dictionary batch."""
AS_IT_IS = -1
"""Declared length of a buffer that packing would have made longer."""


class Declared(NamedTuple):
    """Rows and unpacked bytes of one message; a dictionary has no rows of its own."""

    rows: int
    size: int


class _Table(NamedTuple):
    """A FlatBuffer table: its fields are found through a table of offsets that stands elsewhere."""

    buffer: memoryview
    place: int

    def number(self, form: str, at: int) -> int:
        return int(struct.unpack_from(form, self.buffer, at)[0])

    def field(self, slot: int) -> int | None:
        """Where the field stands; None for one that has its default."""
        offsets = self.place - self.number("<i", self.place)
        entry = 4 + 2 * slot
        offset = self.number("<H", offsets + entry) if entry < self.number("<H", offsets) else 0
        return self.place + offset if offset else None

    def scalar(self, slot: int, form: str) -> int:
        at = self.field(slot)
        return 0 if at is None else self.number(form, at)

    def child(self, slot: int) -> _Table | None:
        at = self.field(slot)
        return None if at is None else _Table(self.buffer, at + self.number("<I", at))


def declarations(source: pa.BufferReader) -> Iterator[Declared]:
    """Of each message that has a body; afterwards the source stands behind the stream's end.

    A delta makes Arrow write the whole dictionary anew, so it counts with what came before it.
    """
    dictionaries = 0
    for message in pa.ipc.MessageReader.open_stream(source):
        try:
            declared, delta = _of_message(message)
        except struct.error as error:
            raise UnreadableBody("unreadable", "a message of the Arrow stream is damaged") from error
        if message.type == "dictionary":
            declared = Declared(0, declared.size + (dictionaries if delta else 0))
            dictionaries += declared.size
        yield declared


def _of_message(message: pa.ipc.Message) -> tuple[Declared, bool]:
    buffer = memoryview(message.metadata)
    root = _Table(buffer, struct.unpack_from("<I", buffer)[0])
    kind, header = root.scalar(HEADER_TYPE, "<B"), root.child(HEADER)
    if header is None or kind not in (DICTIONARY, RECORDS):
        return Declared(0, 0), False
    batch = header.child(DATA) if kind == DICTIONARY else header
    if batch is None:
        return Declared(0, 0), False
    size = sum(_sizes(batch, memoryview(message.body)))
    return Declared(batch.scalar(LENGTH, "<q"), size), kind == DICTIONARY and bool(header.scalar(IS_DELTA, "<B"))


def _sizes(batch: _Table, body: memoryview) -> Iterator[int]:
    """Unpacked bytes of each buffer. They may overlap, and are counted as often as they are named."""
    buffers = batch.child(BUFFERS)
    if buffers is None:
        return
    packed = batch.child(COMPRESSION) is not None
    for number in range(buffers.number("<I", buffers.place)):
        start, length = struct.unpack_from("<qq", buffers.buffer, buffers.place + 4 + 16 * number)
        declared = struct.unpack_from("<q", body, start)[0] if packed and length else AS_IT_IS
        yield max(length, 0) if declared == AS_IT_IS else max(declared, 0)
