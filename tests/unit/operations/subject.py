"""``python -m tests.unit.operations.subject MANNER``: a service that does nothing, in the manner asked for."""

from __future__ import annotations

import logging
import sys
from threading import Event, Thread
from time import sleep

from shared.operations.metrics import Metrics
from shared.operations.service import Service, serve, turning

NEVER = Event()
_log = logging.getLogger("services.subject")


class Obedient:
    """Turns idly, and notes when."""

    waits = ""

    def __init__(self) -> None:
        self.turned = Event()

    def open(self) -> None:
        """There is nothing to open."""

    def turn(self) -> bool:
        self.turned.set()
        return False

    def wait(self, seconds: float) -> None:
        sleep(min(seconds, 0.01))

    def close(self) -> None:
        _log.info("part closed")


class Waiting(Obedient):
    waits = "loading"


class Stalled(Obedient):
    def turn(self) -> bool:
        return NEVER.wait()


class Stuck(Obedient):
    def close(self) -> None:
        _log.info("stuck")
        NEVER.wait()


class Forgetful(Obedient):
    """Leaves a thread behind that the interpreter waits for at its end."""

    def close(self) -> None:
        Thread(target=NEVER.wait).start()


class Broken(Obedient):
    def turn(self) -> bool:
        raise ValueError("a record's secret value")


class Door:
    """Closes only if the loop goes on turning meanwhile."""

    def __init__(self, part: Obedient) -> None:
        self._part = part

    def start(self) -> None:
        _log.info("door opened")

    def stop(self, seconds: float) -> None:
        self._part.turned.clear()
        turning = self._part.turned.wait(seconds)
        _log.info("door closed", extra={"while_turning": turning})


def build(_: Metrics) -> Service:
    manners = {each.__name__.lower(): each for each in (Obedient, Waiting, Stalled, Stuck, Forgetful, Broken)}
    part = manners[sys.argv[1]]()
    return Service(turning(part), (Door(part),), lambda: _log.info("service closed"), lambda: part.waits)


if __name__ == "__main__":
    sys.exit(serve("subject", build))
