"""``driftloop backtest``: a recorded stream under several policies side by side."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.folders import try_folder
from services.cli.options import LARGEST_SEED
from services.cli.problem import Options, as_yaml, problem
from services.cli.progress import board
from services.cli.recorded import Recorded, check_against, recorded

if TYPE_CHECKING:
    from services.backtest.replay import Replay
    from services.backtest.result import BacktestResult

POLICIES = "never,every:W,drift,last-class"


def command(  # noqa: PLR0917 - a command's options; nobody calls it by position
    context: typer.Context,
    data: Annotated[Path, typer.Argument(help="CSV, CSV.gz or Parquet: one row per record, in time order.")],
    pipeline: Annotated[Path | None, typer.Option(help="Pipeline file; without one, --label is needed.")] = None,
    label: Annotated[str | None, typer.Option(help="Column to predict.")] = None,
    estimator: Annotated[
        str | None, typer.Option(help="Import path, e.g. sklearn.linear_model.LogisticRegression.")
    ] = None,
    param: Annotated[list[str] | None, typer.Option(help="Estimator parameter NAME=VALUE; may be repeated.")] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Column that is no feature; may be repeated.")] = None,
    policies: Annotated[
        str, typer.Option(help="Comma list of never, every:N, drift, last-class, detector:NAME; W is the window.")
    ] = POLICIES,
    initial: Annotated[int | None, typer.Option(min=20, help="Rows of the first training (the window W).")] = None,
    label_delay: Annotated[int, typer.Option(min=0, help="Records after which a record's label is known.")] = 0,
    block: Annotated[
        int | None, typer.Option(min=10, help="Rows of a block, for rows that depend on their neighbours.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything that is random.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the report, the ledger and the summary.")] = Path(
        "driftloop-out"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON, and nothing else.")] = False,
) -> None:
    """Replay a recorded stream: what would never retraining, a schedule, and Driftloop have been worth?"""
    try_folder(out, "--out")
    stream = recorded(data)
    options = Options(pipeline, label, estimator, tuple(param or ()), tuple(drop or ()), initial, block, seed)
    asked = problem(stream, options)
    check_against(stream, asked.pipeline)
    for note in () if as_json else asked.notes:
        print(f"note: {note}", file=sys.stderr)
    from services.backtest.replay import Replay

    what = Replay(asked.pipeline, stream.batches, label_delay)
    result = _run(what, stream, policies, _settings(what, stream, block, context.obj))
    _tell(result, out, as_json)


def _settings(what: Replay, stream: Recorded, block: int | None, arguments: Any) -> dict[str, Any]:
    """What the result says about the run, but for what came out."""
    pipeline = what.pipeline
    return {
        "data": stream.path.name,
        "records": stream.seen.rows,
        "initial": what.initial,
        "label_delay": what.label_delay,
        "seed": pipeline.seed,
        "task": pipeline.contract.label.task,
        "settings": as_yaml(pipeline),
        "block": block,
        "command": shlex.join(["driftloop", *(arguments or ())]),
    }


def _run(what: Replay, stream: Recorded, policies: str, settings: dict[str, Any]) -> BacktestResult:
    from services.backtest.comparison import compare, policy_names
    from services.backtest.result import BacktestResult

    names = policy_names(policies, what.pipeline)
    with board() as progress:
        results = tuple(compare(what, name, progress(name, stream.seen.rows)) for name in names)
    return BacktestResult(policies=results, **settings)


def _tell(result: BacktestResult, out: Path, as_json: bool) -> None:
    from services.cli.outcome import conclusion, print_table, summary_text, wrapped, write

    report = write(result, out)
    if as_json:
        sys.stdout.write(summary_text(result))
        return
    print_table(result)
    print(f"\n{wrapped(conclusion(result))}\n\nReport: {report}")
