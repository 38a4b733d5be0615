"""Folders that commands write to, tried before any work is done for them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from services.cli.errors import UserError


def try_folder(folder: Path, option: str) -> None:
    """UserError where no file can be written into the folder; ``option`` is the one that chose it.

    What had to be made for the trial goes again, so that work which fails later leaves no empty folder behind.
    """
    lacking = list(_lacking(folder, option))
    made: list[Path] = []
    try:
        for each in reversed(lacking):
            each.mkdir()
            made.append(each)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _refused(folder, option, str(error.strerror)) from None
    finally:
        for each in reversed(made):
            each.rmdir()


def _lacking(folder: Path, option: str) -> Iterator[Path]:
    """The folder and its parents that are not there yet, the innermost first."""
    for each in (folder, *folder.parents):
        if _there(each, option):
            return
        yield each


def _there(place: Path, option: str) -> bool:
    try:
        if place.exists() and not place.is_dir():
            raise _refused(place, option, "it is a file, and a folder is wanted")
        return place.is_dir()
    except OSError as error:
        raise _refused(place, option, str(error.strerror)) from None


def _refused(place: Path, option: str, why: str) -> UserError:
    return UserError(f"{place}: nothing can be written there: {why}; give another folder with {option}")
