"""``python -m shared.events.schemas [--check]``: write the stored schemas, or say which are stale."""

from __future__ import annotations

import argparse
import sys

from shared.events.schemas import CURE, rendered, stale, write


def main() -> int:
    """Exit code 1 if ``--check`` finds a stale file."""
    parser = argparse.ArgumentParser(prog="python -m shared.events.schemas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a stored schema is stale")
    if not parser.parse_args().check:
        write()
        print(f"{len(rendered())} event schemas written")
        return 0
    problems = stale()
    print("\n".join([*problems, CURE]) if problems else f"{len(rendered())} event schemas up to date")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
