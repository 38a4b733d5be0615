"""Ways of making tapes: from seeds, exhaustively around the fault-free run, and smaller from a failing one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from services.embedded.simulation.history import History
from services.embedded.simulation.scenario import Scenario
from services.embedded.simulation.tape import SeededTape, Tape
from services.embedded.simulation.world import Violation, World

BLOCKS = (128, 32, 8, 3, 1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``tape`` replays the run; ``broken`` names the checker that objected, empty if none did."""

    tape: tuple[int, ...]
    options: tuple[int, ...]
    history: History
    broken: str = ""
    reason: str = ""

    def report(self, last: int = 60) -> str:
        """The end of the trace, the verdict, and the tape."""
        trace = "\n".join(str(line) for line in self.history.lines[-last:])
        return f"{trace}\n{self.broken}: {self.reason}\ntape: {','.join(map(str, trimmed(self.tape)))}"


def trimmed(tape: Sequence[int]) -> tuple[int, ...]:
    """Without the zeros at the end: missing means 0."""
    length = next((at for at in range(len(tape), 0, -1) if tape[at - 1]), 0)
    return tuple(tape[:length])


def play(scenario: Scenario, tape: Tape) -> Outcome:
    """One run. An exception out of a core is a finding too."""
    world = World(scenario, tape)
    broken = reason = ""
    try:
        world.run()
    except Violation as violation:
        broken, reason = violation.checker, violation.reason
    except Exception as error:  # noqa: BLE001 - whatever a core raises is the finding
        broken, reason = type(error).__name__, str(error)
    return Outcome(tuple(tape.taken), tuple(tape.options), world.history, broken, reason)


def seeds(scenario: Scenario, count: int, first: int = 0) -> Iterator[tuple[int, Outcome]]:
    """Outcomes of consecutive seeds."""
    for seed in range(first, first + count):
        yield seed, play(scenario, SeededTape(seed))


def one_deviation(scenario: Scenario, every: int = 1) -> Iterator[Outcome]:
    """Every run that differs from the fair, fault-free one in exactly one choice; or every so manieth of them.

    The cheapest strong test there is: most protocol bugs need one fault at the right moment (delay-bounded
    scheduling; Emmi, Qadeer, Rakamaric, POPL 2011).
    """
    options = play(scenario, Tape()).options
    deviations = ((at, value) for at, among in enumerate(options) for value in range(1, among))
    for at, value in islice(deviations, 0, None, every):
        yield play(scenario, Tape([0] * at + [value]))


def shrink(scenario: Scenario, found: Outcome, budget: int = 600) -> Outcome:
    """A smaller tape on which the *same* checker objects: fewer deviations, then smaller ones.

    Blocks of choices are set to 0, large blocks first, then single values are lowered, until a round changes nothing.
    """
    best, changed = found, True
    while changed and budget > 0:
        changed = False
        for size in (*BLOCKS, 0):
            at = 0
            while at < len(best.tape) and budget > 0:
                candidate = _lowered(best.tape, at, size)
                at += max(size, 1)
                if candidate == best.tape:
                    continue
                budget -= 1
                outcome = play(scenario, Tape(candidate))
                if outcome.broken == found.broken and _weight(outcome.tape) < _weight(best.tape):
                    best, changed = outcome, True
    return best


def _lowered(tape: tuple[int, ...], at: int, size: int) -> tuple[int, ...]:
    """A block set to 0; with size 0, one value set to 1."""
    if not size:
        return (*tape[:at], min(tape[at], 1), *tape[at + 1 :])
    return (*tape[:at], *(0 for _ in tape[at : at + size]), *tape[at + size :])


def _weight(tape: Sequence[int]) -> tuple[int, int]:
    """Deviations first: a tape's trailing zeros cost nothing, its other numbers are what a reader must follow."""
    return sum(1 for value in tape if value), sum(tape)
