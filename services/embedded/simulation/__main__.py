"""``python -m services.embedded.simulation --seeds N``: runs scenarios; a failure prints its trace and its tape."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from services.embedded.simulation.explore import Outcome, one_deviation, play, seeds, shrink
from services.embedded.simulation.scenario import Scenario
from services.embedded.simulation.tape import Tape

SCENARIOS = (
    "services.embedded.simulation.toy:scenario",
    "services.embedded.simulation.loop_scenario:one_lane",
    "services.embedded.simulation.loop_scenario:two_lanes",
)
"""``module:function`` of each scenario that `make simulate` runs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 if every checker held on every run."""
    options = _parser().parse_args(arguments)
    return max(_explore(name, options) for name in options.scenario or SCENARIOS)


def _explore(name: str, options: argparse.Namespace) -> int:
    scenario = _load(name)()
    if options.tape is not None:
        outcome = play(scenario, Tape([int(value) for value in options.tape.split(",") if value]))
        print(outcome.report(last=10_000))
        return int(bool(outcome.broken))
    for seed, outcome in seeds(scenario, options.seeds, options.first):
        if outcome.broken:
            return _failed(name, scenario, f"seed {seed}", outcome)
    for number, outcome in enumerate(one_deviation(scenario) if options.exhaustive else ()):
        if outcome.broken:
            return _failed(name, scenario, f"deviation {number}", outcome)
    print(f"{scenario.name}: {options.seeds} seeds from {options.first}, nothing broken")
    return 0


def _failed(name: str, scenario: Scenario, which: str, outcome: Outcome) -> int:
    print(f"{scenario.name}: {which} breaks {outcome.broken}; its tape, made smaller:")
    print(shrink(scenario, outcome).report())
    print(f"replay: python -m services.embedded.simulation --scenario {name} --tape TAPE")
    return 1


def _load(name: str) -> Callable[[], Scenario]:
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)  # type: ignore[no-any-return]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.embedded.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="runs with random choices")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--exhaustive", action="store_true", help="also every single deviation from the fair run")
    parser.add_argument("--scenario", action="append", help="module:function; default: all")
    parser.add_argument("--tape", help="replay these choices (comma-separated) and print the whole trace")
    return parser


if __name__ == "__main__":
    sys.exit(main())
