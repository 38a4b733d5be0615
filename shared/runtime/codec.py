"""States as bytes and back: one generic, versioned codec for frozen dataclasses of plain values.

JSON, because a state is read by people when something went wrong.  Bytes travel as base64, floats round-trip to the
last bit, infinities and NaN are allowed.  The envelope names the version of the *encoding*: a reader that doesn't
know it stops with an error instead of starting from a state that it misread.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

State = TypeVar("State")

VERSION = 1
_HEAD = b'{"v":%d,"state":' % VERSION
_PLAIN = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants")


class CodecError(ValueError):
    """Stored bytes are not a state of the wanted type in a version that this build reads."""


def encode(state: object, kind: Any = None) -> bytes:
    """``kind`` is needed only where the class alone doesn't say it all: a generic alias such as ``Held[Counts]``."""
    return _HEAD + _adapter(cast(Any, kind or type(state))).dump_json((state,))[1:-1] + b"}"


def decode(kind: type[State], data: bytes) -> State:
    """Raises `CodecError` on an unknown version, damaged bytes, or a state of another shape."""
    if not data.startswith(_HEAD):
        raise CodecError(_why_unreadable(data))
    try:
        return cast(State, _adapter(cast(Any, kind)).validate_json(b"[" + data[len(_HEAD) : -1] + b"]")[0])
    except ValidationError as error:
        raise CodecError(
            f"stored state does not fit {_name(kind)}: {_misfits(error)}. Was the type changed?"
        ) from error


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    # Pydantic takes no configuration for a bare dataclass; a one-element tuple around it carries one to all inside.
    return TypeAdapter(cast(Any, tuple)[kind], config=_PLAIN)


def _why_unreadable(data: bytes) -> str:
    try:
        version = json.loads(data)["v"]
    except (ValueError, KeyError, TypeError):
        return f"stored state is no codec envelope; it starts with {data[:24]!r}. Is it damaged, or another file?"
    return f"stored state has codec version {version!r}; this build reads {VERSION}. Run the build that wrote it."


def _misfits(error: ValidationError) -> str:
    """Where and what, without the value: states hold what records held."""
    found = error.errors(include_input=False, include_url=False)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found)


def _name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))
