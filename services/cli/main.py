"""``driftloop``: the commands, and the one place where their errors become words and exit codes."""

from __future__ import annotations

import sys
import warnings
from types import ModuleType

import typer
import typer.core

from services.cli.commands import (
    apply,
    approve,
    backtest,
    clear_fault,
    dead_letters,
    demo,
    doctor,
    explain,
    init,
    pause,
    predict,
    replay,
    reproduce,
    resume,
    retrain,
    rollback,
    run,
    send,
    status,
    timeline,
    token,
    topics,
)
from services.cli.errors import in_one_line, is_mistake

MISTAKE = 2
LIBRARIES = r"(sklearn|numpy|scipy|joblib|skops)(\.|$)"
"""Whose warnings say nothing to the person at the keyboard: they speak of arrays that nobody here has made by hand."""
UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""What typer raises for a command line that it can't read."""

IN_SHORT = {
    "init": "Start a project from recorded data.",
    "backtest": "Replay recorded data under several policies.",
    "demo": "Watch the whole loop on a simulated plant.",
    "run": "Predict records as they come, and keep the model right.",
    "apply": "Put a pipeline file into force on the running system.",
    "send": "Send records or labels to the running system.",
    "predict": "Ask the champion in service.",
    "status": "Show how things stand, in a folder or the running system.",
    "timeline": "Tell what happened, one line per fact.",
    "explain": "Explain a version, or print its model card.",
    "reproduce": "Train a version again, and compare.",
    "retrain": "Ask for a training now.",
    "approve": "Promote the version that waits for approval.",
    "rollback": "Return to the version served before.",
    "pause": "Stop retraining.",
    "resume": "Go on retraining.",
    "clear-fault": "Say that the data are right again.",
    "dead-letters": "List, show and export what was refused.",
    "replay": "Put repaired dead letters back under their ids.",
    "topics": "Make the topics on the broker, or compare them.",
    "token": "Make a token for the doors.",
    "doctor": "Check this machine, a pipeline file, data, a run, the running system.",
}
"""Each command in the list of all: whole sentences, which the first lines of the commands' own help would not be."""

COMMANDS = (
    init, backtest, demo, run, apply, send, predict, status, timeline, explain, reproduce, retrain, approve, rollback,
    pause, resume, clear_fault, replay, token, doctor,
)  # fmt: skip
GROUPS = (dead_letters, topics)
"""Commands that have commands."""


class InOrder(typer.core.TyperGroup):
    """Commands and groups in one list, in the order of `IN_SHORT`."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        return list(IN_SHORT)


app = typer.Typer(
    name="driftloop",
    cls=InOrder,
    help="Keeps models on data streams right: from a detected drift to a verified promotion, by itself.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2].replace("_", "-")


for module in COMMANDS:
    app.command(name=_name(module), short_help=IN_SHORT[_name(module)])(module.command)
for module in GROUPS:
    app.add_typer(module.app, name=_name(module), short_help=IN_SHORT[_name(module)])


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; the exit code is 0, 1 where the answer is "no", 2 for a user's mistake, 130 for Ctrl-C."""
    given = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        with warnings.catch_warnings():
            _quiet_libraries()
            return int(app(given, standalone_mode=False, obj=given, prog_name="driftloop") or 0)
    except UsageError as error:
        return _mistake(_usage(error))
    except Exception as error:
        if not is_mistake(error):
            raise
        return _mistake(in_one_line(error))


def _quiet_libraries() -> None:
    """Unless the person asked for warnings (``python -W``, ``PYTHONWARNINGS``)."""
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", module=LIBRARIES)


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
