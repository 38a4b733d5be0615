"""HTML and SVG elements as safe strings: whatever is not `Markup` already is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TypeAlias

VOID = frozenset({"br", "col", "meta"})


class Markup(str):
    """Text that is HTML already. Only `element` and the page's own style and script make it."""

    __slots__ = ()


Child: TypeAlias = "str | int | Iterable[Child] | None"
Attributes: TypeAlias = Mapping[str, object]


def element(tag: str, attributes: Attributes | None = None, *children: Child) -> Markup:
    """``<tag …>children</tag>``; None and False attributes are left out, True ones stand without a value."""
    opened = f"<{tag}{_written(attributes or {})}>"
    return Markup(opened) if tag in VOID else Markup(f"{opened}{joined(children)}</{tag}>")


def joined(child: Child) -> Markup:
    """Children in order, nested ones flattened, plain text escaped."""
    if child is None:
        return Markup("")
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int):
        return Markup(escape(str(child)))
    return Markup("".join(joined(part) for part in child))


def _written(attributes: Attributes) -> str:
    return "".join(_attribute(name, value) for name, value in attributes.items())


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    return f' {name}="{escape(f"{value:.6g}" if isinstance(value, float) else str(value))}"'
