"""Batches of Arrow columns to one table, measured before the wrappings that keep them small are taken off."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.ingestion.formats._limits import check_bytes, check_rows
from services.ingestion.raw import RawRows, one_row, rows_of_table


def rows_of_batches(batches: Iterable[pa.RecordBatch], schema: pa.Schema, wanted: Collection[str]) -> RawRows:
    """Raw rows of batches that are read one by one, until there are too many: `UnreadableBody`."""
    rows = size = 0
    kept: list[pa.RecordBatch] = []
    for batch in batches:
        batch.validate()
        rows, size = rows + batch.num_rows, size + sum(map(_unpacked_bytes, batch.columns))
        check_rows(rows, wanted)
        check_bytes(size)
        # A forged offset would otherwise be read from memory that is not ours. After the measuring: every text is read.
        batch.validate(full=True)
        kept.append(_unwrapped(batch))
    table = pa.Table.from_batches(kept) if kept else schema.empty_table()
    return rows_of_table(table, wanted, lambda row: one_row(table, row))


def _unpacked_bytes(array: pa.Array) -> int:
    """What the column takes without its wrappings: a dictionary, or a view, names one long text a million times."""
    stored = array.storage if isinstance(array, pa.ExtensionArray) else array
    if pa.types.is_dictionary(stored.type):
        return _decoded_bytes(stored)
    return _text_bytes(stored) if _is_view(stored.type) else int(stored.nbytes)


def _decoded_bytes(array: pa.DictionaryArray) -> int:
    kind = array.dictionary.type
    if _is_text(kind):
        return _text_bytes(array.dictionary, array.indices)
    return 0 if pa.types.is_null(kind) else len(array) * kind.bit_width // 8  # lists and objects: ValueError


def _text_bytes(texts: pa.Array, chosen: pa.Array | None = None) -> int:
    lengths = _view_lengths(texts) if _is_view(texts.type) else pc.binary_length(texts)
    lengths = lengths if chosen is None else lengths.take(chosen)
    return 8 * len(lengths) + (pc.sum(lengths.cast(pa.int64())).as_py() or 0)


def _view_lengths(texts: pa.Array) -> pa.Array:
    """The first of the four whole numbers that a view consists of; Arrow has no function that tells it."""
    return pa.array(_views(texts)[:, 0], mask=np.asarray(texts.is_null()))


def _views(texts: pa.Array) -> np.ndarray[Any, np.dtype[np.int32]]:
    views = np.frombuffer(texts.buffers()[1], np.int32).reshape(-1, 4)
    return views[texts.offset : texts.offset + len(texts)]


def _without_views(texts: pa.Array) -> pa.Array:
    """Views of nulls are emptied first: validation passes over them, and the cast would follow a forged one."""
    views = np.where(np.asarray(texts.is_null())[:, None], np.int32(0), _views(texts))
    validity = pa.array(np.asarray(texts.is_valid())).buffers()[1]
    safe = pa.Array.from_buffers(texts.type, len(texts), [validity, pa.py_buffer(views), *texts.buffers()[2:]])
    return safe.cast(pa.string() if pa.types.is_string_view(texts.type) else pa.binary())


def _is_text(kind: pa.DataType) -> bool:
    plain = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return _is_view(kind) or any(each(kind) for each in plain)


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind) or pa.types.is_binary_view(kind))


def _unwrapped(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Without wrappings, so that one row doesn't bring along what all of them refer to."""
    columns = [_plain(column) for column in batch.columns]
    fields = [pa.field(name, column.type) for name, column in zip(batch.schema.names, columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _plain(array: pa.Array) -> pa.Array:
    stored = array.storage if isinstance(array, pa.ExtensionArray) else array
    if pa.types.is_dictionary(stored.type):
        stored = stored.dictionary_decode()
    return _without_views(stored) if _is_view(stored.type) else stored
