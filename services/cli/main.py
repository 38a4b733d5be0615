"""``driftloop``: the commands, and the one place where their errors become words and exit codes."""

from __future__ import annotations

import sys

import typer

from services.cli.commands import backtest, demo, doctor, explain, init, reproduce, run, status, timeline
from services.cli.errors import in_one_line, is_mistake

MISTAKE = 2
UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""What typer raises for a command line that it can't read."""

app = typer.Typer(
    name="driftloop",
    help="Keeps models on data streams right: from a detected drift to a verified promotion, by itself.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for module in (init, backtest, demo, run, status, timeline, explain, reproduce, doctor):
    app.command(name=module.__name__.rpartition(".")[2])(module.command)


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
