"""The compose file as data, and Docker, to ask the programs that it names."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.integration.broker import require_docker

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$\{(?P<name>\w+):-(?P<default>[^}]*)\}")
SERVICES = tuple(sorted(path.parent.name for path in (ROOT / "services").glob("*/wiring.py")))
"""A service is a folder with a composition root."""


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def compose() -> dict[str, Any]:
    """Anchors are merged, variables stand as written."""
    loaded: dict[str, Any] = yaml.safe_load(text_of("docker-compose.yml"))
    return loaded


def blocks() -> dict[str, dict[str, Any]]:
    return dict(compose()["services"])


def image(name: str) -> str:
    """The one that a container gets where nobody chose another."""
    return VARIABLE.sub(lambda found: found["default"], blocks()[name]["image"])


def docker(*arguments: str) -> str:
    """What the command prints; fails with its complaint."""
    require_docker()
    done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


def promtool(*arguments: str, mounts: Mapping[Path, str]) -> str:
    """Prometheus's own checker, from the image that the compose file names."""
    volumes = [part for path, inside in mounts.items() for part in ("--volume", f"{path}:{inside}:ro")]
    run = ("run", "--rm", "--network", "none", *volumes, "--entrypoint", "promtool")
    return docker(*run, image("prometheus"), *arguments)
