"""Jobs run in processes of their own, which end with their parent and whose deaths are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from shared.operations.children import Children, Ended
from shared.runtime.core import Run
from tests.unit.operations.jobs_for_children import die, fail, hang, note
from tests.waiting import until


@contextmanager
def children(work: Callable[[Run], None], limit: int = 2, seconds: float = 300.0) -> Iterator[Children]:
    with closing(Children(work, limit=limit, seconds=seconds, preload=())) as some:
        yield some


def ends(some: Children, count: int = 1) -> list[Ended]:
    ended: list[Ended] = []

    def enough() -> bool:
        ended.extend(some.turn())
        return len(ended) >= count

    until(enough, f"{count} jobs end")
    return ended


def test_a_job_runs_in_another_process(tmp_path: Path) -> None:
    with children(note) as some:
        some.start(Run("j", 1, str(tmp_path / "out").encode()))
        assert [ended.reason for ended in ends(some)] == [""]
    assert (tmp_path / "out").read_text().startswith("j in ")
    assert str(os.getpid()) not in (tmp_path / "out").read_text()


def test_a_job_that_raises_is_told_with_its_exit_code() -> None:
    with children(fail) as some:
        some.start(Run("j", 1, b""))
        assert "exit code 1" in ends(some)[0].reason


def test_a_job_that_is_killed_is_told_with_its_signal() -> None:
    with children(die) as some:
        some.start(Run("j", 1, b""))
        assert "SIGKILL" in ends(some)[0].reason


def test_a_job_that_hangs_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    with children(hang, seconds=0.5) as some:
        some.start(Run("j", 1, str(tmp_path / "out").encode()))
        assert "no end within" in ends(some)[0].reason


def test_no_more_jobs_run_at_once_than_the_limit_and_all_get_their_turn(tmp_path: Path) -> None:
    with children(note, limit=1) as some:
        for number in range(3):
            some.start(Run(str(number), 1, str(tmp_path / str(number)).encode()))
        assert [run.job for run in some.runs] == ["0", "1", "2"]
        assert [ended.run.job for ended in ends(some, 3)] == ["0", "1", "2"]
        assert some.runs == ()


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    place = tmp_path / "out"
    program = f"""
if __name__ == "__main__":
    from threading import Event
    from tests.unit.operations.jobs_for_children import hang
    from shared.operations.children import Children
    from shared.runtime.core import Run
    some = Children(hang, limit=1, seconds=60, preload=())
    some.start(Run("j", 1, {str(place).encode()!r}))
    while True:
        some.turn()
        Event().wait(0.02)
"""
    script = tmp_path / "parent.py"
    script.write_text(program)
    parent = subprocess.Popen([sys.executable, str(script)], env={**os.environ, "PYTHONPATH": os.getcwd()})
    until(lambda: place.is_file() and place.read_text() != "", "the child says its number")
    child = int(place.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child), "the child is gone")


def _is_zombie(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
