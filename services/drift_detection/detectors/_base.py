"""What a detector is, and how one is found: a file in this package is a detector (see ``docs/how-to``).

Detectors are the field's known methods as plug-ins, for comparison and for those who trust them.  They are outside
the false-alarm promise that Driftloop's own sequential tests give.
"""

from __future__ import annotations

import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, TypeVar

from shared.plugins import discover

PACKAGE = "services.drift_detection.detectors"

State = TypeVar("State")
Counts = tuple[tuple[int, ...], ...]
"""Per feature, the counts of its slots."""


class DetectorError(ValueError):
    """A detector that can't be made or fed: an unknown name, a parameter or an input out of range."""


class LossDetector(ABC, Generic[State]):
    """Watches the losses of one model version, one number per labelled row, in label order.

    A subclass is a frozen dataclass of parameters; all that changes is in ``State``, a frozen dataclass of plain
    values and tuples.  The same state and input always give the same result.
    """

    __slots__ = ()
    name: ClassVar[str]
    watches: ClassVar[Literal["loss"]] = "loss"

    @abstractmethod
    def start(self) -> State:
        """The state before the first loss."""

    @abstractmethod
    def update(self, state: State, loss: float) -> tuple[State, bool]:
        """The next state, and whether this loss raised an alarm. After an alarm the state is `start` again."""

    def update_many(self, state: State, losses: Sequence[float]) -> tuple[State, tuple[int, ...]]:
        """`update` for each loss; the indices within ``losses`` that raised an alarm.

        Override it for speed only: where a stream is cut into slices must not change a single alarm.
        """
        alarms = []
        for index, loss in enumerate(losses):
            state, alarm = self.update(state, loss)
            if alarm:
                alarms.append(index)
        return state, tuple(alarms)


class InputDetector(ABC, Generic[State]):
    """Watches the input columns, as counts per epoch; otherwise like `LossDetector`."""

    __slots__ = ()
    name: ClassVar[str]
    watches: ClassVar[Literal["inputs"]] = "inputs"

    @abstractmethod
    def start(self) -> State:
        """The state before the first epoch."""

    @abstractmethod
    def update(self, state: State, reference: Counts, current: Counts) -> tuple[State, bool]:
        """The next state, and whether this epoch raised an alarm. After an alarm the state is `start` again.

        ``reference`` are the counts of the training rows and ``current`` those of the epoch: the same features in the
        same order, each with the same slots.
        """


Detector = LossDetector[Any] | InputDetector[Any]


def detectors() -> Mapping[str, type[Detector]]:
    """Every detector class by its name; DetectorError if two files claim one name."""
    found: dict[str, type[Detector]] = {}
    for kind in discover(PACKAGE, "DETECTOR"):
        if kind.name in found:
            places = f"{found[kind.name].__module__} and {kind.__module__}"
            raise DetectorError(f"two detectors are named {kind.name!r}: {places}; rename one")
        found[kind.name] = kind
    return MappingProxyType(found)


def make_detector(name: str, **parameters: Any) -> Detector:
    """A detector by name. DetectorError for an unknown name or parameter, or a value out of range."""
    known = detectors()
    if name not in known:
        raise DetectorError(f"there is no detector {name!r}{_nearest(name, known)}; known: {_listed(known)}")
    kind = known[name]
    accepted = [field.name for field in fields(kind) if field.init]  # type: ignore[arg-type]
    for parameter in parameters:
        if parameter not in accepted:
            hint = _nearest(parameter, accepted)
            raise DetectorError(f"detector {name!r} has no {parameter!r}{hint}; it has: {_listed(accepted)}")
    return kind(**parameters)


def require(holds: bool, detector: str, parameter: str, rule: str, value: object) -> None:
    """For ``__post_init__``: DetectorError that names the parameter, what it has to be and what it is."""
    if not holds:
        raise DetectorError(f"detector {detector!r}: {parameter} has to be {rule}; it is {value!r}")


def finite(detector: str, loss: float) -> float:
    """The loss; DetectorError for NaN and infinities, which would silence a detector for ever."""
    if not math.isfinite(loss):
        raise DetectorError(f"detector {detector!r}: a loss has to be a finite number; it is {loss!r}")
    return loss


def _nearest(wrong: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(wrong, list(known), 1)
    return f"; the nearest is {near[0]!r}" if near else ""


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(names) or "none"
