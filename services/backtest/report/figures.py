"""How numbers are written for people."""

from __future__ import annotations

import math


def whole(value: float) -> str:
    """12345 as "12,345"."""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """A share of 1 as "86.1 %" (the blank does not break)."""
    return f"{100 * share:.1f}\u00a0%"


def measured(value: float) -> str:
    """Three significant digits, without an exponent where people would not expect one."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "–"
    if abs(value) >= 1000:
        return whole(value)
    return f"{value:.3g}"


def seconds(value: float) -> str:
    """A duration: "0.42 s", "12 s", "3 min 5 s"."""
    if value < 10:
        return f"{value:.2g}\u00a0s" if value else "0\u00a0s"
    if value < 120:
        return f"{value:.0f}\u00a0s"
    return f"{value // 60:,.0f}\u00a0min {value % 60:.0f}\u00a0s"


def counted(count: int, noun: str) -> str:
    """ "1 training", "4 trainings"."""
    return f"{whole(count)} {noun if count == 1 else noun + 's'}"


def odds(log_evidence: float) -> str:
    """Natural-log evidence as odds, "34:1" or "1:12"."""
    ten = abs(log_evidence) / math.log(10)
    size = f"10^{ten:.0f}" if ten > 6 else whole(math.exp(abs(log_evidence)))
    return f"{size}:1" if log_evidence >= 0 else f"1:{size}"


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def listed(parts: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
