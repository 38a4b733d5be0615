"""`Service`: what a composition root returns, and `serve`, which runs it until it is told to stop."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from shared.access.tokens import AccessError
from shared.operations import lifecycle as life
from shared.operations import loop
from shared.operations.health import Health, Waits, nothing
from shared.operations.http import OperationsServer
from shared.operations.lifecycle import Lifecycle
from shared.operations.logs import configure
from shared.operations.metrics import Metrics
from shared.operations.settings import OperationsSettings, SettingsError
from shared.runtime.ports import LogError

_log = logging.getLogger(__name__)

Run = Callable[[Lifecycle, Health, Metrics], int]
"""Turns until told to stop; returns the exit code."""


class Door(Protocol):
    """A way in for people and programs, on threads of its own."""

    def start(self) -> None: ...

    def stop(self, seconds: float) -> None:
        """Takes nothing more; what is in flight may end within ``seconds``."""


@dataclass(frozen=True, slots=True)
class Service:
    """``run``: the loop, on the main thread. ``close``: what is left to end when the loop has.

    ``doors`` are opened in order and closed in the opposite one, while the loop still turns. ``waits``: what they need
    beside the loop, before anybody should come through them.
    """

    run: Run
    doors: tuple[Door, ...] = ()
    close: Callable[[], None] = lambda: None
    waits: Waits = nothing


def turning(part: loop.Part) -> Run:
    """The usual loop over a part."""
    return lambda lifecycle, health, metrics: loop.run(part, lifecycle, health, metrics)


def serve(name: str, build: Callable[[Metrics], Service]) -> int:
    """One service from its start to its exit code."""
    try:
        settings = OperationsSettings.load()
    except SettingsError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return life.CONFIGURATION
    configure(name, settings.log_level)
    health, lifecycle = Health(settings.stall_seconds), Lifecycle(settings.grace_seconds)
    lifecycle.first(health.stopping)
    lifecycle.install()
    life.watch(lifecycle, health)
    try:
        return _answering(settings, build, lifecycle, health)
    except (SettingsError, AccessError, OSError) as error:
        _log.error("%s can't run as it is set up: %s", name, error)
        return life.CONFIGURATION
    except LogError as error:
        _log.error("%s can't start without the log: %s", name, error)
        return life.TEMPORARY
    except Exception:  # noqa: BLE001 - the last one to catch anything; told here
        _log.exception("%s failed", name)
        return life.SOFTWARE


def _answering(
    settings: OperationsSettings, build: Callable[[Metrics], Service], lifecycle: Lifecycle, health: Health
) -> int:
    """/livez, /readyz and /metrics are there before anything else is built, and until everything else is closed."""
    metrics = Metrics()
    metrics.ready.set_function(lambda: health.ready()[0])
    with closing(OperationsServer(settings.host, settings.port, health, metrics)) as server:
        _log.info("starting; /livez, /readyz and /metrics are on port %d", server.port, extra={"port": server.port})
        with closing(build(metrics)) as service:
            health.await_too(service.waits)
            return _open(service, lifecycle, health, metrics)


def _open(service: Service, lifecycle: Lifecycle, health: Health, metrics: Metrics) -> int:
    opened: list[Door] = []
    lifecycle.first(lambda: _close(opened, lifecycle))
    try:
        for door in service.doors:
            door.start()
            opened.append(door)
        return service.run(lifecycle, health, metrics)
    finally:
        lifecycle.stop()
        lifecycle.stopping.wait(lifecycle.remaining())
        # Those that were opened while the word to stop came.
        _close(opened, lifecycle)
        _log.info("stopped with %.0f s to spare", lifecycle.remaining())


def _close(doors: list[Door], lifecycle: Lifecycle) -> None:
    """The last one that was opened comes first: it may stand on those before it.

    Each may take half of what is left, because the loop has a unit of work to finish then, and groups to leave.
    """
    while doors:
        try:
            doors.pop().stop(lifecycle.remaining() / 2)
        except Exception:  # noqa: BLE001 - told here; the other doors have to be closed in any case
            _log.warning("a door could not be closed in order", exc_info=True)
