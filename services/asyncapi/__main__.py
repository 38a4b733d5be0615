"""``python -m services.asyncapi [--check]``: write the stored document, or say whether it is stale."""

from __future__ import annotations

import argparse
import sys

from services.asyncapi import CURE, FILE, stale, write


def main() -> int:
    """Exit code 1 if ``--check`` finds the document stale."""
    parser = argparse.ArgumentParser(prog="python -m services.asyncapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the stored document is stale")
    if not parser.parse_args().check:
        write()
        print(f"docs/{FILE.name} written")
        return 0
    old = stale()
    print(f"docs/{FILE.name} is stale: {CURE}" if old else f"docs/{FILE.name} up to date")
    return int(old)


if __name__ == "__main__":
    sys.exit(main())
