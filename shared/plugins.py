"""Plug-ins by discovery: a package's modules are its plug-ins, and adding one is adding one file."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any


@cache
def discover(package: str, constant: str) -> tuple[Any, ...]:
    """What each module of ``package`` binds to ``constant``, in the order of module names.

    Modules whose names begin with an underscore are helpers. A module without the constant is an error: it would be
    a plug-in that silently never runs.
    """
    home = importlib.import_module(package)
    names = sorted(module.name for module in pkgutil.iter_modules(home.__path__) if not module.name.startswith("_"))
    return tuple(_constant(f"{package}.{name}", constant) for name in names)


def _constant(module: str, constant: str) -> Any:
    try:
        return getattr(importlib.import_module(module), constant)
    except AttributeError:
        raise TypeError(f"plug-in module {module} has to bind {constant} (a helper's name begins with '_')") from None
