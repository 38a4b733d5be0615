"""One stream under several policies, each with blobs of its own, which outlive it only if somebody keeps them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from services.backtest.last_class import last_class
from services.backtest.policies import KNOWN, LAST_CLASS, PolicyError, under_policy
from services.backtest.replay import Observer, Progress, Replay, replay
from shared.adapters.files import FileBlobs
from shared.events.training import JobFailed, TrainingCompleted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.backtest.result import PolicyResult
    from shared.domain.pipeline import Pipeline


class NoModelError(ValueError):
    """The first training failed, so that there is nothing to compare; the message says why."""


def policy_names(listed: str, pipeline: Pipeline) -> tuple[str, ...]:
    """The policies of a comma list, each once; W stands for the pipeline's window.

    Raises `PolicyError` or `DetectorError` for a name that there is not, before anything has run.
    """
    names = [name.strip() for name in listed.split(",") if name.strip()]
    names = [f"every:{pipeline.window}" if name == "every:W" else name for name in names]
    if not names:
        raise PolicyError(f"no policy is named; known: {KNOWN}")
    for name in names:
        if name != LAST_CLASS:
            under_policy(name, pipeline)
    return tuple(dict.fromkeys(names))


def compare(
    what: Replay, policy: str, progress: Progress, *, keep: Path | None = None, observer: Observer = lambda _: None
) -> PolicyResult:
    """One policy's run. ``keep``: the directory for its blobs, which is a temporary one by default.

    Raises `NoModelError` where no model ever came to be.
    """
    if policy == LAST_CLASS:
        return last_class(what, progress)
    with _blobs(keep) as root:
        result = replay(what, policy, FileBlobs(root), progress, observer)
    if not any(isinstance(event, TrainingCompleted) for event in result.ledger):
        raise NoModelError(_why(result, what.pipeline))
    return result


@contextmanager
def _blobs(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="driftloop-") as root:
        yield Path(root)


def _why(result: PolicyResult, pipeline: Pipeline) -> str:
    reason = _first_reason(result.ledger)
    if reason is None:
        return f"no model could be trained: fewer than {pipeline.window:,} rows kept the contract and had a label"
    return f"no model could be trained on the first {pipeline.window:,} labelled rows: {reason}"


def _first_reason(ledger: Iterable[object]) -> str | None:
    return next((event.reason for event in ledger if isinstance(event, JobFailed)), None)
