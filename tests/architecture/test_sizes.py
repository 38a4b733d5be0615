"""Code stays in pieces that fit into a head: modules under 300 lines, functions under 40, most of them far shorter."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
MODULE_LINES = 300
FUNCTION_LINES = 40
MEDIAN_LINES = 8


def test_no_module_is_over_300_lines() -> None:
    lengths = {name: text.count("\n") for name, text in modules()}
    long = sorted(f"{name}: {lines} lines" for name, lines in lengths.items() if lines > MODULE_LINES)
    assert not long, "split by idea:\n" + "\n".join(long)


def test_no_function_is_over_40_lines() -> None:
    long = sorted(f"{place}: {lines} lines" for place, lines in functions() if lines > FUNCTION_LINES)
    assert not long, "name its parts:\n" + "\n".join(long)


def test_half_of_all_functions_are_under_8_lines() -> None:
    lengths = [lines for _, lines in functions()]
    assert median(lengths) < MEDIAN_LINES


def modules() -> Iterator[tuple[str, str]]:
    """(path from the repository's root, text) of every module that ships."""
    for package in ("services", "shared"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def functions() -> Iterator[tuple[str, int]]:
    """(place, lines from ``def`` to the end) of every function and method."""
    for name, text in modules():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{name}:{node.lineno} {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1
