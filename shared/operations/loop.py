"""The loop of a service: open, turn until told to stop, wait when idle, open again when the log fails."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from shared.operations.health import Health
from shared.operations.lifecycle import OK, SOFTWARE, TEMPORARY, Lifecycle
from shared.operations.metrics import Metrics
from shared.runtime.ports import Log, LogError, Place, Unsettled
from shared.runtime.worker import Worker

IDLE = 0.1
"""Seconds of waiting for messages, at most, before timers are looked at again."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
STALL = 120.0
"""Seconds without an arrival, where something is there, until the log's consumer is given up."""

_log = logging.getLogger(__name__)


class Part(Protocol):
    """What a loop turns."""

    def open(self) -> None:
        """Starts from what is stored, whatever it believed before."""

    def turn(self) -> bool:
        """Does a little; whether anything moved."""

    def wait(self, seconds: float) -> None:
        """Returns early when something may have come."""

    def close(self) -> None:
        """Leaves groups, closes clients. May be called when nothing is open."""


class Followed(Log, Protocol):
    """A log that fetches ahead where it is told that somebody reads on."""

    def follow(self, places: Sequence[Place]) -> None: ...

    def wait(self, seconds: float) -> object: ...

    def stalled(self, seconds: float) -> Place | None: ...


class Attention:
    """Tells the log what is read on, whenever that has changed: a rebalance does so in the midst of a turn."""

    def __init__(self, log: Followed) -> None:
        self._log = log
        self._places: tuple[Place, ...] = ()

    def turn_to(self, *places: Place) -> None:
        if places != self._places:
            self._log.follow(places)
            self._places = places

    def check(self) -> None:
        """Raises where something is there and nothing came for `STALL`. A new consumer is the only known cure: with
        nothing to follow the log closes the one that it has."""
        place = self._log.stalled(STALL)
        if place is not None:
            self.turn_to()
            raise LogError(f"nothing arrived from {place[0]}/{place[1]} for {STALL:.0f} s although it lags")


class WorkerPart:
    """A worker on its partitions. ``extra``: what else is done in every turn."""

    def __init__(
        self,
        worker: Worker,
        log: Followed,
        *,
        close: Callable[[], None],
        extra: Sequence[Callable[[], bool]] = (),
    ) -> None:
        self.worker = worker
        self._log = log
        self._close = close
        self._extra = tuple(extra)
        self._attention = Attention(log)

    def open(self) -> None:
        self.worker.open()

    def turn(self) -> bool:
        moved = self.worker.sweep()
        self._attention.turn_to(*self.worker.places())
        moved = self.worker.tick(self._log.now()) or moved
        return sum([extra() for extra in self._extra], moved) > 0

    def wait(self, seconds: float) -> None:
        self._log.wait(seconds)
        self._attention.check()

    def close(self) -> None:
        self._close()


def run(part: Part, lifecycle: Lifecycle, health: Health, metrics: Metrics) -> int:
    """Returns the exit code. ``part`` is closed in any case."""
    try:
        return _turns(part, lifecycle, health, metrics)
    except LogError as error:
        _log.error("nothing worked for %.0f s, perhaps it does elsewhere: %s", health.stall, error)
        return TEMPORARY
    except Exception:  # noqa: BLE001 - the last one to catch anything; told below
        _log.exception("the loop failed; a new process begins from what is stored")
        return SOFTWARE
    finally:
        health.closed("stopping")
        _close(part)


def _close(part: Part) -> None:
    """What can't be closed ends with the process; why the loop ended counts more."""
    try:
        part.close()
    except Exception:  # noqa: BLE001 - told below
        _log.warning("not everything could be closed in order", exc_info=True)


def _turns(part: Part, lifecycle: Lifecycle, health: Health, metrics: Metrics) -> int:
    pause = Pause(health.stall)
    opened = False
    while not lifecycle.stopping.is_set():
        health.beat()
        try:
            if not opened:
                part.open()
                opened = True
                health.opened()
            moved = part.turn()
            pause.over()
            if not moved:
                part.wait(IDLE)
        except LogError as error:
            opened = False
            health.closed(f"{type(error).__name__}: {error}")
            metrics.reopened(error)
            _log.log(logging.DEBUG if isinstance(error, Unsettled) else logging.WARNING, "opens again: %s", error)
            lifecycle.stopping.wait(pause.next(error))
    return OK


class Pause:
    """Longer from one failure to the next, and never the same for two processes that fail together.

    Raises the error itself once nothing has worked for ``patience`` seconds: perhaps another machine can reach the log.
    """

    def __init__(self, patience: float, clock: Callable[[], float] = monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._failing_since: float | None = None
        self._length = FIRST_PAUSE

    def over(self) -> None:
        """Something worked."""
        self._failing_since, self._length = None, FIRST_PAUSE

    def next(self, error: LogError) -> float:
        now = self._clock()
        self._failing_since = now if self._failing_since is None else self._failing_since
        if now - self._failing_since > self._patience:
            raise error
        length, self._length = self._length, min(LONGEST_PAUSE, self._length * 2)
        return length * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
