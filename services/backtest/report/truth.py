"""Known changes of a simulated stream as shaded bands behind a chart."""

from __future__ import annotations

from typing import TypeAlias

from services.backtest.report.figures import whole
from services.backtest.report.frame import Frame
from services.backtest.report.html import Markup, element

MOST_BANDS = 300
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
INSTANT = 2.0
"""A change from one row to the next is drawn this wide."""

Truth: TypeAlias = tuple[tuple[int, int, str], ...]
"""(first row, last row, what happened)."""


def truth_bands(truth: Truth, frame: Frame, *, lettered: bool = False) -> list[Markup]:
    """One band per change; the first 26 carry a letter, which the caption explains."""
    return [
        _band(frame, change, LETTERS[index : index + 1] if lettered else "")
        for index, change in enumerate(truth[:MOST_BANDS])
    ]


def _band(frame: Frame, change: tuple[int, int, str], letter: str) -> Markup:
    first, last, what = change
    x, y = frame.x(first), frame.top
    width = frame.x(last) - x
    kind = "truth" if width > INSTANT else "truth instant"
    box = {"class": kind, "x": x, "y": y, "width": max(width, INSTANT), "height": frame.plot_bottom - y}
    title = element("title", {}, f"{what}: rows {whole(first)} to {whole(last)}")
    at = {"class": "letter", "x": x + width / 2, "y": y - 4, "text-anchor": "middle"}
    return element("g", {}, element("rect", box, title), element("text", at, letter) if letter else None)


def truth_words(truth: Truth) -> str:
    """The sentence that explains the letters; empty where nothing is known."""
    known = "; ".join(f"{letter} {what}" for letter, (_, _, what) in zip(LETTERS, truth, strict=False))
    return f" Shaded: known changes ({known})." if known else ""
