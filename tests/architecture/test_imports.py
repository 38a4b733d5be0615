"""The import contracts bite: a forbidden import, planted into a copy of the tree, breaks the contract that names it."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PLANTS = {
    "services": ("services/validation/core.py", "import services.training.core"),
    "shell": ("services/ingestion/core.py", "import services.ingestion.door.application"),
    "shared": ("shared/domain/bins.py", "import shared.events.base"),
    "shared-is-below": ("shared/runtime/codec.py", "import services.validation.plan"),
    "adapters": ("services/prediction/core.py", "import shared.adapters.files"),
    "clients": ("services/embedded/loop.py", "import kafka"),
    "hosts": ("services/deployment/core.py", "import shared.runtime.hosts"),
    "pure": ("shared/domain/quality.py", "import random"),
}
"""Contract -> the module that gets a bad import, and the import."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for package in ("services", "shared"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_the_tree_keeps_every_contract(tree: Path) -> None:
    assert broken(tree, PLANTS) == set()


@pytest.mark.parametrize("contract", PLANTS)
def test_a_planted_import_breaks_its_contract(tree: Path, contract: str) -> None:
    module, line = PLANTS[contract]
    path = tree / module
    path.write_text(f"{path.read_text()}\n{line}\n")
    assert broken(tree, [contract]) == {contract}


def test_a_package_without_a_layer_is_noticed(tree: Path) -> None:
    (tree / "services" / "newcomer").mkdir()
    (tree / "services" / "newcomer" / "__init__.py").touch()
    assert broken(tree, ["services"]) == {"services"}


def test_every_contract_is_shown_to_break() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    assert {name.rpartition(":")[2] for name in config.sections() if ":contract:" in name} == set(PLANTS)


def broken(tree: Path, contracts: Iterable[str]) -> set[str]:
    """Which of the contracts the tree breaks, each linted alone."""
    return {contract for contract in contracts if not kept(tree, contract)}


def kept(tree: Path, contract: str) -> bool:
    linter = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo", "--contract", contract]
    done = subprocess.run(linter, cwd=tree, env={"PYTHONPATH": str(tree)}, capture_output=True, text=True, check=False)
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return done.returncode == 0
