"""The backtest's report: one self-contained HTML page."""

from services.backtest.report.page import render

__all__ = ["render"]
