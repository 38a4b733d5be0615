"""Any instance of an event type, drawn from its field types."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from shared.events.base import Event, Part

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


def instances(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Events of the kind, with every field drawn."""
    return _values(kind)


def _values(hint: Any) -> st.SearchStrategy[Any]:
    if hint is Any:
        return SCALARS | st.text(max_size=8)
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if hint is str:
        return st.text(max_size=8)
    if isinstance(hint, type) and issubclass(hint, Part):
        return st.builds(hint, **{name: _values(held.annotation) for name, held in hint.model_fields.items()})
    if is_dataclass(hint):
        types = get_type_hints(hint)
        return st.builds(hint, **{held.name: _values(types[held.name]) for held in fields(hint)})  # type: ignore[arg-type]
    return _composed(get_origin(hint), get_args(hint)) if get_args(hint) else st.from_type(hint)


def _composed(origin: Any, parts: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in (Union, UnionType):
        return st.one_of([_values(part) for part in parts])
    if origin is dict:
        return st.dictionaries(_values(parts[0]), _values(parts[1]), max_size=3)
    if parts[-1] is Ellipsis:
        return st.lists(_values(parts[0]), max_size=3).map(tuple)
    return st.tuples(*[_values(part) for part in parts])
