"""``python -m services NAME`` runs one service until it is told to stop."""

from __future__ import annotations

import sys
from importlib import import_module

from shared.operations.service import serve

NAMES = ("ingestion", "validation", "prediction", "drift_detection", "training", "deployment")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in NAMES:
        print(f"usage: python -m services NAME, where NAME is one of {', '.join(NAMES)}", file=sys.stderr)
        return 2
    [name] = arguments
    # By name, so that the services stay strangers to one another.
    return serve(name, import_module(f"services.{name}.wiring").build)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
