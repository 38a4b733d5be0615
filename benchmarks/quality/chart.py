"""`python -m benchmarks.quality.chart`: the README's chart, from a real recorded stream under four policies."""

from __future__ import annotations

import re
import tempfile
from importlib.resources import files
from pathlib import Path

from benchmarks.quality.protocol import STREAMS, Stream, pipeline_of, source_of
from benchmarks.quality.verdicts import DRIFT, PAGE_HINKLEY
from services.backtest.replay import Replay, replay
from services.backtest.report.frame import Frame
from services.backtest.report.quality_chart import course, quality_chart
from services.backtest.result import BacktestResult, PolicyResult
from shared.adapters.files import FileBlobs

OUT = Path(__file__).resolve().parents[2] / "docs" / "insects.svg"
TITLE = "Driftloop recovers from the first change and keeps what it knew for the second"
CHANGES = ((1775, 1775, "features shuffled"), (3550, 3550, "features restored"))


def main() -> None:
    stream = next(stream for stream in STREAMS if stream.name == "abrupt_insects")
    policies = (DRIFT, "never", f"every:{stream.window}", PAGE_HINKLEY)
    results = tuple(_run(stream, policy) for policy in policies)
    OUT.write_text(svg(stream, results))


def _run(stream: Stream, policy: str) -> PolicyResult:
    what = Replay(pipeline_of(stream, 0), source_of(stream))
    with tempfile.TemporaryDirectory() as folder:
        return replay(what, policy, FileBlobs(Path(folder)), lambda _: None)


def svg(stream: Stream, results: tuple[PolicyResult, ...]) -> str:
    """A file that stands alone: the report's chart, with the report's colours for light and dark."""
    rows = max(point.row for result in results for point in result.curve)
    found = BacktestResult(
        stream.name, rows, stream.window, 0, 0, "classification", results, settings="", truth=CHANGES
    )
    frame = Frame(width=1000, height=380, left=56, right=230, top=64, bottom=48, first=0, last=rows)
    chart = str(quality_chart(course(found), frame, TITLE))
    style = files("services.backtest.report").joinpath("style.css").read_text()
    shown = re.sub(r"\n\[data-theme[^}]*\}", "", style)
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 380" role="img" '
        f'aria-label="{TITLE}"><style>{shown}</style><rect width="1000" height="380" fill="var(--paper)"/>'
        f'<text x="56" y="28" style="font-size:17px;font-weight:600;fill:var(--ink)">{TITLE}</text>'
    )
    inner = re.search(r"<svg[^>]*>.*</svg>", chart, re.DOTALL)
    if inner is None:
        raise ValueError("the report's chart holds no svg element: has its markup changed?")
    return f"{head}{inner[0]}</svg>\n"


if __name__ == "__main__":
    main()
