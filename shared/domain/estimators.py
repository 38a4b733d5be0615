"""Estimators by import path: what a pipeline file may name, and no more.

A pipeline file is data that others may write; without a list of allowed modules, naming an import path would be
running any code that is installed.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import Any, Literal

from shared.domain.pipeline import Estimator

ALLOWED_MODULES = ("sklearn",)
LISTS = frozenset({"steps", "estimators"})
PARTS = frozenset({"estimator", "final_estimator", "regressor", "transformer"})
"""Parameters of scikit-learn's composites that hold named estimators, and a single one."""
SKIPPED = ("passthrough", "drop")
"""What stands in a composite for an estimator that isn't there."""
PART = "{path: sklearn.…, parameters: {…}}"
Task = Literal["classification", "regression"]
WANTED: dict[Task, str] = {
    "classification": "a classifier, for example 'sklearn.ensemble.RandomForestClassifier'",
    "regression": "a regressor, for example 'sklearn.ensemble.RandomForestRegressor'",
}


class EstimatorError(ValueError):
    """An estimator that can't be built: what is wrong with the path or the parameters, and what would be right."""


def build_estimator(estimator: Estimator, allowed: tuple[str, ...] = ALLOWED_MODULES) -> Any:
    """A fresh, unfitted estimator.

    A parameter whose value is ``{path: …, parameters: …}`` is an estimator itself, at any depth: that is how
    ``sklearn.pipeline.Pipeline`` gets its steps. Raises `EstimatorError`.
    """
    return _build(estimator.path, estimator.parameters, allowed)


def check_estimator(estimator: Estimator, task: Task) -> None:
    """That it can be built, predicts what the task asks for, and takes its parameters. Raises `EstimatorError`."""
    built = build_estimator(estimator)
    try:
        fits = predicts(built, task)
    except (AttributeError, TypeError, ValueError):
        raise EstimatorError(f"estimator {estimator.path!r} is made of parts that don't go together") from None
    # Asked of the class: a stacking estimator's object has no 'predict' before it is fitted.
    if not hasattr(type(built), "predict"):
        raise EstimatorError(f"estimator {estimator.path!r} has no 'predict': give {WANTED[task]}")
    if not fits:
        raise EstimatorError(f"estimator {estimator.path!r} is none for {task}: give {WANTED[task]}")
    _check_values(estimator.path, built)


def predicts(estimator: Any, task: Task) -> bool:
    """Whether it is a classifier or a regressor, as the task asks; what is made of odd parts raises."""
    from sklearn.base import is_classifier, is_regressor

    return bool(is_classifier(estimator) if task == "classification" else is_regressor(estimator))


def resolve_estimator(path: str, allowed: tuple[str, ...] = ALLOWED_MODULES) -> type[Any]:
    """The estimator class at an import path. The module is imported only once its name is known to be allowed."""
    module_name, _, name = path.rpartition(".")
    if not _is_allowed(module_name, allowed):
        raise EstimatorError(
            f"estimator {path!r}: only estimators of {_listed(allowed)} are allowed, "
            f"for example 'sklearn.ensemble.RandomForestClassifier'"
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError:
        raise EstimatorError(f"estimator {path!r}: there is no module {module_name!r}") from None
    found: type[Any] | None = getattr(module, name, None)
    if found is None:
        raise EstimatorError(f"estimator {path!r}: {module_name!r} has no {name!r}{_hint(name, dir(module))}")
    if not _is_estimator(found) or not _is_allowed(found.__module__, allowed):
        raise EstimatorError(f"estimator {path!r} is no estimator class (it needs 'fit' and 'get_params')")
    return found


def _build(path: str, parameters: dict[str, Any], allowed: tuple[str, ...]) -> Any:
    kind = resolve_estimator(path, allowed)
    known = [name for name in inspect.signature(kind).parameters if not name.startswith("_")]
    for name in parameters:
        if name not in known:
            raise EstimatorError(f"estimator {path!r} has no parameter {name!r}{_hint(name, known)}")
    arguments = {name: _value(value, allowed) for name, value in parameters.items()}
    _check_parts(path, arguments)
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise EstimatorError(f"estimator {path!r} can't be made from its parameters: {error}") from error


def _check_parts(path: str, arguments: dict[str, Any]) -> None:
    """Parts that are estimators, checked here because scikit-learn looks at them no sooner than at the first fit."""
    for name in LISTS & arguments.keys():
        parts = arguments[name] if isinstance(arguments[name], list) else [arguments[name]]
        for place, part in enumerate(parts, 1):
            pair = isinstance(part, list) and len(part) == 2 and isinstance(part[0], str)
            if not pair or not _is_part(part[1]):
                raise EstimatorError(f"estimator {path!r}: {name}, number {place}: write it as [NAME, {PART}]")
    for name in PARTS & arguments.keys():
        if not _is_part(arguments[name]):
            raise EstimatorError(f"estimator {path!r}: {name} is {arguments[name]!r}; write it as {PART}")


def _check_values(path: str, built: Any) -> None:
    """What scikit-learn itself says of the values, and would say no sooner than at the first fit; its parts' too."""
    for part in (built, *built.get_params(deep=True).values()):
        if hasattr(part, "_validate_params") and not inspect.isclass(part):
            try:
                part._validate_params()
            except (TypeError, ValueError) as error:
                raise EstimatorError(f"estimator {path!r}: {' '.join(str(error).split())}") from None


def _is_part(value: Any) -> bool:
    return value is None or hasattr(value, "fit") or (isinstance(value, str) and value in SKIPPED)


def _value(value: Any, allowed: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        if "path" in value and set(value) <= {"path", "parameters"}:
            return _build(str(value["path"]), dict(value.get("parameters") or {}), allowed)
        return {name: _value(inner, allowed) for name, inner in value.items()}
    return [_value(inner, allowed) for inner in value] if isinstance(value, list | tuple) else value


def _is_allowed(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def _is_estimator(found: Any) -> bool:
    return inspect.isclass(found) and hasattr(found, "fit") and hasattr(found, "get_params")


def _listed(modules: tuple[str, ...]) -> str:
    return ", ".join(f"{module}.*" for module in modules)


def _hint(wrong: str, known: list[str]) -> str:
    near = difflib.get_close_matches(wrong, known, 1)
    return f"; the nearest is {near[0]!r}" if near else ""
