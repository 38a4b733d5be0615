"""`Tape`: the only source of choice. A run is a function of its tape, a list of small integers.

0 always means "benign" or "next in fair order"; a value is taken modulo the number of options; a missing one is 0.
So every list of integers is a valid run, and random search, exhaustive search, replay and shrinking are only ways of
making lists (Timely's simulator and Hypothesis' choice sequences share the idea).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random


class Tape:
    """Replays ``recorded``; past its end everything is benign. ``taken`` is what was drawn, for a later replay.

    ``options`` says out of how many each was drawn: exhaustive search needs it.
    """

    def __init__(self, recorded: Sequence[int] = ()) -> None:
        self.recorded = tuple(recorded)
        self.taken: list[int] = []
        self.options: list[int] = []
        self.quiet = False

    def pick(self, options: int) -> int:
        """One of ``options``, 0 being the fair one."""
        return 0 if self.quiet else self._take(self._order(options), options)

    def knob(self, options: int) -> int:
        """A setting of the whole run; 0 is the plainest."""
        return self._take(self._setting(options), options)

    def fault(self, kinds: Sequence[str]) -> str:
        """One of the kinds, or "" for none."""
        index = 0 if self.quiet else self._take(self._harm(kinds), len(kinds) + 1)
        return kinds[index - 1] if index else ""

    def _setting(self, options: int) -> int:
        return self._next(options)

    def _order(self, options: int) -> int:
        return self._next(options)

    def _harm(self, kinds: Sequence[str]) -> int:
        return self._next(len(kinds) + 1)

    def _next(self, options: int) -> int:
        at = len(self.taken)
        return self.recorded[at] % options if at < len(self.recorded) else 0

    def _take(self, value: int, options: int) -> int:
        self.taken.append(value)
        self.options.append(options)
        return value % options


class SeededTape(Tape):
    """Draws from a seed. Each seed has its own rates and its own subset of fault kinds (swarm testing).

    Few bugs need every fault; many hide when all faults happen at once, since nothing then lives long enough.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = Random(seed)  # noqa: S311 - the seed is the point
        self._faults = self._random.choice((0.005, 0.02, 0.06))
        self._unfair = self._random.choice((0.0, 0.05, 0.3, 1.0))
        self._swarm = self._random.randrange(1 << 16)

    def _setting(self, options: int) -> int:
        return self._random.randrange(options)

    def _order(self, options: int) -> int:
        return self._random.randrange(options) if self._random.random() < self._unfair else 0

    def _harm(self, kinds: Sequence[str]) -> int:
        if self._random.random() >= self._faults:
            return 0
        index = self._random.randrange(len(kinds))
        return index + 1 if self._swarm >> (sum(kinds[index].encode()) % 16) & 1 else 0
