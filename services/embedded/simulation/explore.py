"""Ways of making tapes: from seeds, exhaustively around the fault-free run, and smaller from a failing one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.embedded.simulation.history import History
from services.embedded.simulation.scenario import Scenario
from services.embedded.simulation.tape import SeededTape, Tape
from services.embedded.simulation.world import Violation, World


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


def one_deviation(scenario: Scenario) -> Iterator[Outcome]:
    """Every run that differs from the fair, fault-free one in exactly one choice.

    The cheapest strong test there is: most protocol bugs need one fault at the right moment (delay-bounded
    scheduling; Emmi, Qadeer, Rakamaric, POPL 2011).
    """
    for at, options in enumerate(play(scenario, Tape()).options):
        for value in range(1, options):
            yield play(scenario, Tape([0] * at + [value]))


def shrink(scenario: Scenario, found: Outcome, budget: int = 600) -> Outcome:
    """A smaller tape on which the *same* checker objects: shorter, with more zeros, with smaller values."""
    best, left = found, budget
    while left > 0:
        for candidate in _smaller(best.tape):
            left -= 1
            outcome = play(scenario, Tape(candidate))
            if outcome.broken == found.broken and _weight(outcome.tape) < _weight(best.tape):
                best = outcome
                break
            if left <= 0:
                break
        else:
            break
    return best


def _smaller(tape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    length = len(tape)
    for cut in (length // 2, length * 3 // 4, length * 7 // 8):
        yield tuple(tape[:cut])
    for size in (32, 8, 2):
        for at in range(0, length, size):
            if any(tape[at : at + size]):
                yield (*tape[:at], *[0] * len(tape[at : at + size]), *tape[at + size :])
    for at, value in enumerate(tape):
        if value:
            yield (*tape[:at], 0, *tape[at + 1 :])
            yield (*tape[:at], value - 1, *tape[at + 1 :])


def _weight(tape: Sequence[int]) -> tuple[int, int]:
    """Deviations first: a tape's trailing zeros cost nothing, its other numbers are what a reader must follow."""
    return sum(1 for value in tape if value), sum(tape)
