"""``driftloop``: the commands, and the one place where their errors become words and exit codes."""

from __future__ import annotations

import sys

import typer

from services.cli.commands import backtest, demo, doctor, explain, init, reproduce, run, status, timeline
from services.cli.errors import in_one_line, is_mistake

MISTAKE = 2
UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""What typer raises for a command line that it can't read."""

IN_SHORT = {
    "init": "Start a project from recorded data.",
    "backtest": "Replay recorded data under several policies.",
    "demo": "Watch the whole loop on a simulated plant.",
    "run": "Predict records as they come, and keep the model right.",
    "status": "Show how things stand in a folder.",
    "timeline": "Tell what happened, one line per fact.",
    "explain": "Explain a version, or print its model card.",
    "reproduce": "Train a version again, and compare.",
    "doctor": "Check this machine, a pipeline file, data, a run.",
}
"""Each command in the list of all: whole sentences, which the first lines of the commands' own help would not be."""

app = typer.Typer(
    name="driftloop",
    help="Keeps models on data streams right: from a detected drift to a verified promotion, by itself.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for module in (init, backtest, demo, run, status, timeline, explain, reproduce, doctor):
    name = module.__name__.rpartition(".")[2]
    app.command(name=name, short_help=IN_SHORT[name])(module.command)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; the exit code is 0, 1 where the answer is "no", 2 for a user's mistake, 130 for Ctrl-C."""
    given = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        return int(app(given, standalone_mode=False, obj=given, prog_name="driftloop") or 0)
    except UsageError as error:
        return _mistake(_usage(error))
    except (ValueError, LookupError) as error:
        if not is_mistake(error):
            raise
        return _mistake(in_one_line(error))


def _mistake(line: str) -> int:
    print(f"driftloop: {line}", file=sys.stderr)
    return MISTAKE


def _usage(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "driftloop"
    told = getattr(error, "format_message", lambda: str(error))()
    return f"{' '.join(str(told).split()).rstrip('.')}; see '{path} --help'"


if __name__ == "__main__":
    sys.exit(main())
