"""The command line starts fast and explains itself."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.unit.cli.calls import call

COMMANDS = (
    "init", "backtest", "demo", "run", "apply", "send", "predict", "status", "timeline", "explain", "reproduce",
    "retrain", "approve", "rollback", "pause", "resume", "clear-fault", "dead-letters", "replay", "topics", "token",
    "doctor",
)  # fmt: skip
SUBCOMMANDS = ("dead-letters list", "dead-letters show", "dead-letters export", "topics create", "topics verify")
SLOW = ("sklearn", "pyarrow", "numpy", "pydantic", "scipy", "yaml", "rich", "kafka", "httpx", "redis", "fastapi")


def test_help_loads_no_slow_library() -> None:
    """Seconds depend on what else the machine does; what is loaded does not."""
    code = (
        "import sys, services.cli.main as m; m.main(['--help']); print([n for n in sys.argv[1:] if n in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code, *SLOW], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command() -> None:
    told = call("--help")
    assert told.code == 0
    listed = [line.split()[0] for line in told.out.partition("Commands:")[2].splitlines() if line[2:3].strip()]
    assert tuple(listed) == COMMANDS


@pytest.mark.parametrize("name", [*COMMANDS, *SUBCOMMANDS])
def test_each_command_explains_itself_and_its_options(name: str) -> None:
    told = call(*name.split(), "--help")
    assert told.code == 0
    assert f"Usage: driftloop {name}" in told.out
    described = re.findall(r"^  --\S+.*?(?=^  --|\Z)", told.out, re.MULTILINE | re.DOTALL)
    assert all(len(option.split()) > 3 for option in described)


def test_without_a_command_the_help_is_shown() -> None:
    assert call().out == call("--help").out
