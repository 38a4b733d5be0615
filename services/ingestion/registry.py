"""Formats by media type."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache

import pyarrow as pa

from services.ingestion.raw import RawRows, UnreadableBody
from shared.plugins import discover

PACKAGE = "services.ingestion.formats"


def _any_body(_: bytes) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write rows as bytes.

    ``read(body, wanted)`` gives the rows with those of the ``wanted`` columns that are there; it raises
    `UnreadableBody`, a ValueError or an Arrow error.  Where formats share a media type, ``claims`` tells by a glance
    at the body which one it is.
    """

    name: str
    media_types: tuple[str, ...]
    read: Callable[[bytes, Collection[str]], RawRows]
    claims: Callable[[bytes], bool] = _any_body


@cache
def formats() -> tuple[Format, ...]:
    return discover(PACKAGE, "FORMAT")


def read_rows(content_type: str, body: bytes, wanted: Collection[str]) -> RawRows:
    """Rows of a body. `UnreadableBody` for every way in which that fails, with reason ``unknown-format`` for a type
    that no format has."""
    if not body.strip():
        raise UnreadableBody("empty", "the body is empty")
    try:
        return _format(content_type, body).read(body, wanted)
    except UnreadableBody:
        raise
    except UnicodeDecodeError as error:
        raise UnreadableBody("not-utf-8", f"the body is not UTF-8 text from byte {error.start} on") from error
    except (ValueError, TypeError, RecursionError, OSError, EOFError, pa.ArrowException) as error:
        # The error's text may quote the data, so it goes no further than the chained exception.
        raise UnreadableBody("unreadable", f"the body can't be read as {media_type(content_type)}") from error


def media_type(content_type: str) -> str:
    """The media type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def _format(content_type: str, body: bytes) -> Format:
    wanted = media_type(content_type)
    candidates = [each for each in formats() if wanted in each.media_types]
    for each in candidates:
        if each.claims(body):
            return each
    if candidates:
        raise UnreadableBody("unreadable", f"the body is no {' and no '.join(each.name for each in candidates)}")
    known = ", ".join(sorted({name for each in formats() for name in each.media_types}))
    raise UnreadableBody("unknown-format", f"content type {wanted!r} is not read here; known are {known}")
